// src/base/private_file.cpp - reading a file that holds a secret, or must not be half written
#include "base/private_file.hpp"

#include "base/assert.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace firstcome::base {

namespace {

std::unexpected<std::string> refuse_errno() {
    return std::unexpected(
        std::string{"cannot be read ("} + std::strerror(errno) + "); check its name and owner"
    );
}

mode_t forbidden(Readers readers) {
    switch (readers) {
        case Readers::owner_only: return S_IRWXG | S_IRWXO;
        case Readers::owner_and_group: return S_IRWXO;
        case Readers::anybody: return 0;
    }
    FC_UNREACHABLE();
}

/// Reads from an open descriptor, which stays the caller's.
std::expected<std::string, std::string> read_open(int input, std::size_t max, Readers readers) {
    struct stat facts {};

    if (::fstat(input, &facts) != 0) return refuse_errno();
    if (!S_ISREG(facts.st_mode)) return std::unexpected("is not a file; name a file");
    if ((facts.st_mode & forbidden(readers)) != 0) {
        return std::unexpected(
            "is open to other users; run chmod 600 on it, and replace its secret if somebody may "
            "have read it"
        );
    }
    std::string text(max + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(input, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refuse_errno();
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > max) {
        return std::unexpected("is larger than " + std::to_string(max) + " bytes");
    }
    text.resize(size);
    return text;
}

}  // namespace

std::expected<std::string, std::string> read_whole_file(
    const std::filesystem::path& file, std::size_t size_max, Readers readers
) {
    const int input = ::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (input < 0) return refuse_errno();
    auto text = read_open(input, size_max, readers);
    ::close(input);
    return text;
}

}  // namespace firstcome::base
