// src/base/entropy.cpp - random words from the kernel, in blocks
#include "base/entropy.hpp"

#include "base/assert.hpp"

#include <cerrno>
#include <sys/random.h>

namespace firstcome::base {

std::uint64_t SystemEntropy::next() {
    if (used_ == block_.size()) {
        auto* bytes = reinterpret_cast<std::byte*>(block_.data());
        std::size_t filled = 0;
        while (filled < sizeof(block_)) {
            const ssize_t got = ::getrandom(bytes + filled, sizeof(block_) - filled, 0);
            if (got < 0 && errno == EINTR) continue;
            FC_ASSERT(got > 0);
            filled += static_cast<std::size_t>(got);
        }
        used_ = 0;
    }
    return block_[used_++];
}

}  // namespace firstcome::base
