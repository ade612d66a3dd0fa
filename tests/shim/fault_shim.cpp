// tests/shim/fault_shim.cpp - LD_PRELOAD: makes the disk fail for one directory
//
// FC_FAULT_DIR   only files below it are touched
// FC_FAULT_PLAN  a file that is looked at on every call; while it is not there, nothing happens.
//                One line: <call> <errno> <nth> <serial>
//                call   sync (fsync, fdatasync), write (write, pwrite, ftruncate), read (pread)
//                errno  a number
//                       or "short": half of the write is done, and what follows fails with ENOSPC
//                nth    fail this call only, counted from 1; 0: all from now on
//                serial a number of each plan's own: counting begins anew when it changes
// Each fault that struck is appended to <FC_FAULT_PLAN>.log, so that a test knows it was hit.
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

std::atomic<long> calls_seen{0};
std::atomic<bool> short_done{false};
std::atomic<long> serial_seen{0};

struct Plan {
    char call[16] = {};
    char error[16] = {};
    long nth = 0;
    long serial = 0;
};

const char* plan_path() {
    static const char* path = std::getenv("FC_FAULT_PLAN");
    return path;
}

bool is_watched(int file) {
    static const char* folder = std::getenv("FC_FAULT_DIR");
    if (folder == nullptr) return false;
    char link[64];
    char name[4096];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t size = ::readlink(link, name, sizeof name);
    return size > 0 && std::string_view(name, static_cast<std::size_t>(size)).starts_with(folder);
}

// Raw system calls: the functions of the library are the ones replaced here.
bool read_plan(Plan& plan) {
    if (plan_path() == nullptr) return false;
    const long file = ::syscall(SYS_openat, AT_FDCWD, plan_path(), O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return false;
    char text[128] = {};
    const long size = ::syscall(SYS_read, file, text, sizeof text - 1);
    ::syscall(SYS_close, file);
    if (size <= 0) return false;
    const char* const form = "%15s %15s %ld %ld";
    if (std::sscanf(text, form, plan.call, plan.error, &plan.nth, &plan.serial) != 4) return false;
    if (serial_seen.exchange(plan.serial) != plan.serial) {
        calls_seen.store(0);
        short_done.store(false);
    }
    return true;
}

void note(const char* call, int file, int error) {
    const std::string path = std::string(plan_path()) + ".log";
    char name[4096] = {};
    char link[64];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (::readlink(link, name, sizeof name - 1) < 0) return;
    const std::string line =
        std::string(call) + " " + std::to_string(error) + " " + std::string(name) + "\n";
    const long log = ::syscall(
        SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644
    );
    if (log < 0) return;
    ::syscall(SYS_write, log, line.data(), line.size());
    ::syscall(SYS_close, log);
}

/// 0: go on; -1: do half of it; else the errno to fail with.
int fault(const char* call, int file) {
    Plan plan;
    if (!read_plan(plan) || std::strcmp(plan.call, call) != 0 || !is_watched(file)) return 0;
    const long number = calls_seen.fetch_add(1) + 1;
    if (plan.nth != 0 && number != plan.nth && !short_done.load()) return 0;
    int error = std::atoi(plan.error);
    if (std::strcmp(plan.error, "short") == 0) {
        error = short_done.exchange(true) ? ENOSPC : -1;
    }
    note(call, file, error);
    return error;
}

template <typename Function>
Function* real(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int failed(int error) {
    errno = error;
    return -1;
}

}  // namespace

extern "C" {

int fsync(int file) {
    static auto* const next = real<int(int)>("fsync");
    const int error = fault("sync", file);
    return error > 0 ? failed(error) : next(file);
}

int fdatasync(int file) {
    static auto* const next = real<int(int)>("fdatasync");
    const int error = fault("sync", file);
    return error > 0 ? failed(error) : next(file);
}

ssize_t write(int file, const void* from, size_t size) {
    static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
    const int error = fault("write", file);
    if (error > 0) return failed(error);
    return next(file, from, error < 0 && size > 1 ? size / 2 : size);
}

ssize_t pwrite(int file, const void* from, size_t size, off_t at) {
    static auto* const next = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    const int error = fault("write", file);
    if (error > 0) return failed(error);
    return next(file, from, error < 0 && size > 1 ? size / 2 : size, at);
}

ssize_t pwrite64(int file, const void* from, size_t size, off64_t at) {
    static auto* const next = real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
    const int error = fault("write", file);
    if (error > 0) return failed(error);
    return next(file, from, error < 0 && size > 1 ? size / 2 : size, at);
}

int ftruncate(int file, off_t size) {
    static auto* const next = real<int(int, off_t)>("ftruncate");
    const int error = fault("write", file);
    return error > 0 ? failed(error) : next(file, size);
}

int ftruncate64(int file, off64_t size) {
    static auto* const next = real<int(int, off64_t)>("ftruncate64");
    const int error = fault("write", file);
    return error > 0 ? failed(error) : next(file, size);
}

ssize_t pread(int file, void* to, size_t size, off_t at) {
    static auto* const next = real<ssize_t(int, void*, size_t, off_t)>("pread");
    const int error = fault("read", file);
    return error > 0 ? failed(error) : next(file, to, size, at);
}

ssize_t pread64(int file, void* to, size_t size, off64_t at) {
    static auto* const next = real<ssize_t(int, void*, size_t, off64_t)>("pread64");
    const int error = fault("read", file);
    return error > 0 ? failed(error) : next(file, to, size, at);
}

}  // extern "C"
