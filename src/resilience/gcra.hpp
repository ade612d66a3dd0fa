// src/resilience/gcra.hpp - how often something may happen: the generic cell rate algorithm
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>

namespace firstcome::resilience {

/// `burst` at once, and one more every `interval`.
struct RateLimit {
    std::chrono::nanoseconds interval{1};  ///< 1 ns to 1 h
    std::uint32_t burst = 1;               ///< 1 to 1,000,000

    /// `count` per `period`, rounded so that it is never more.
    [[nodiscard]] static RateLimit per(
        std::chrono::nanoseconds period, std::uint32_t count, std::uint32_t burst
    );

    friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

struct GcraAnswer {
    bool allowed = false;
    base::MonotonicTime tat;                 ///< to be kept; unchanged when not allowed
    std::chrono::nanoseconds retry_after{};  ///< not allowed: when one more will be; else 0
    std::chrono::nanoseconds reset{};        ///< when the whole burst will be there again
    std::uint32_t remaining = 0;             ///< allowed at once after this one
};

/// One more event at `now`? `tat` is the theoretical arrival time kept from the last allowed one;
/// any time in the past stands for "never seen", so an entry whose `tat` is past may be forgotten.
///
/// In any span of time t at most burst + t / interval are allowed.
///
/// Source   ITU-T I.371, annex A, virtual scheduling
[[nodiscard]] GcraAnswer check(
    base::MonotonicTime tat, base::MonotonicTime now, const RateLimit& limit
);

}  // namespace firstcome::resilience
