// tests/support/file_size_limit.hpp - a disk that is full, for this process and for a while
#pragma once

#include <csignal>
#include <cstdlib>
#include <sys/resource.h>

namespace firstcome::test {

/// While it lives no file can be written at or beyond `bytes`: such a write fails with EFBIG, which
/// the service takes for a full disk.
///
/// Source   setrlimit(2), RLIMIT_FSIZE
class FileSizeLimit {
public:
    explicit FileSizeLimit(std::size_t bytes) {
        std::signal(SIGXFSZ, SIG_IGN);
        if (::getrlimit(RLIMIT_FSIZE, &before_) != 0) std::abort();
        const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) std::abort();
    }

    ~FileSizeLimit() {
        if (::setrlimit(RLIMIT_FSIZE, &before_) != 0) std::abort();
    }

    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

private:
    rlimit before_{};
};

}  // namespace firstcome::test
