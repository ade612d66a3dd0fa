// src/app/drain_deadline.hpp - until when a thread that is told to end may go on
#pragma once

#include "base/time.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace firstcome::app {

/// Thread   any
class DrainDeadline {
public:
    void set(base::MonotonicTime deadline) {
        ns_.store(deadline.time_since_epoch().count(), std::memory_order_relaxed);
        set_.store(true, std::memory_order_release);
    }

    [[nodiscard]] bool is_set() const { return set_.load(std::memory_order_acquire); }

    [[nodiscard]] bool has_passed(base::MonotonicTime now) const {
        return is_set() && now >= deadline();
    }

    /// The rest, but not beyond the deadline.
    [[nodiscard]] std::chrono::nanoseconds shorten(
        std::chrono::nanoseconds rest, base::MonotonicTime now
    ) const {
        if (!is_set()) return rest;
        // In this order, because a deadline in the far past or future would overflow a difference.
        return std::max(now, std::min(deadline(), now + rest)) - now;
    }

private:
    [[nodiscard]] base::MonotonicTime deadline() const {
        return base::MonotonicTime{std::chrono::nanoseconds{ns_.load(std::memory_order_relaxed)}};
    }

    std::atomic<std::int64_t> ns_{0};
    std::atomic<bool> set_{false};
};

}  // namespace firstcome::app
