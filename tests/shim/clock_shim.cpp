// tests/shim/clock_shim.cpp - LD_PRELOAD: a wall clock that jumps as a test says
//
// FC_CLOCK_FILE  eight bytes, little endian: by how many seconds the wall clock is off, read at
//                every look. The monotonic clock is left alone: no step of the other moves it.
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

const volatile std::int64_t* mapped() {
    const char* path = std::getenv("FC_CLOCK_FILE");
    if (path == nullptr) return nullptr;
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return nullptr;
    void* at = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
    ::close(file);
    return at == MAP_FAILED ? nullptr : static_cast<const volatile std::int64_t*>(at);
}

time_t seconds_off() {
    static const volatile std::int64_t* const off = mapped();
    return off == nullptr ? 0 : static_cast<time_t>(*off);
}

}  // namespace

extern "C" {

// The system call, not the library's function: that is the one replaced here.
int clock_gettime(clockid_t which, struct timespec* into) noexcept {
    const long done = ::syscall(SYS_clock_gettime, which, into);
    if (done == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        into->tv_sec += seconds_off();
    }
    return static_cast<int>(done);
}

int gettimeofday(struct timeval* into, void*) noexcept {
    struct timespec now {};

    clock_gettime(CLOCK_REALTIME, &now);
    into->tv_sec = now.tv_sec;
    into->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* into) noexcept {
    struct timespec now {};

    clock_gettime(CLOCK_REALTIME, &now);
    if (into != nullptr) *into = now.tv_sec;
    return now.tv_sec;
}

}  // extern "C"
