// src/resilience/backoff.cpp - how long to leave alone what has just failed
#include "resilience/backoff.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <cstdint>

namespace firstcome::resilience {

std::chrono::milliseconds longest_rest(const BackoffOptions& options, unsigned failures) {
    FC_ASSERT(options.first.count() > 0);
    FC_ASSERT(failures > 0);
    auto rest = options.first;
    // Stops at the cap, so nothing overflows however long it has been failing.
    for (unsigned doubled = 1; doubled < failures && rest < options.cap; ++doubled) rest *= 2;
    return std::min(rest, options.cap);
}

std::chrono::milliseconds draw_rest(
    const BackoffOptions& options, unsigned failures, base::Entropy& entropy
) {
    const auto longest = static_cast<std::uint64_t>(longest_rest(options, failures).count());
    return std::chrono::milliseconds{1 + static_cast<std::int64_t>(entropy.next() % longest)};
}

std::chrono::milliseconds Backoff::failed(base::MonotonicTime now, base::Entropy& entropy) {
    // 2^30 ms is 12 days: from there on the count says nothing more, and must not wrap around.
    if (failures_ < 31) ++failures_;
    const auto rest = draw_rest(options_, failures_, entropy);
    until_ = now + rest;
    return rest;
}

void Backoff::succeeded() {
    failures_ = 0;
    until_ = {};
}

std::chrono::milliseconds Backoff::left(base::MonotonicTime now) const {
    if (failures_ == 0 || now >= until_) return {};
    return std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
}

}  // namespace firstcome::resilience
