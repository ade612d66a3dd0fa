// src/telemetry/unsampled_budget.hpp - how many spans are made of what nobody asked to follow
#pragma once

#include "base/time.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace firstcome::telemetry {

/// A trace that is not sampled gets its spans all the same where something failed or was slow; but
/// when all fail, that must not be one more load.
///
/// Thread   any
class UnsampledBudget {
public:
    static constexpr std::uint32_t per_second_default = 50;

    explicit UnsampledBudget(std::uint32_t per_second_max = per_second_default)
        : per_second_max_(per_second_max) {}

    /// False: so many were made in this second already.
    [[nodiscard]] bool take(base::MonotonicTime now) {
        const auto since = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
        const auto second = static_cast<std::uint64_t>(since.count());
        std::uint64_t seen = taken_.load(std::memory_order_relaxed);
        while (true) {
            const bool same = seen >> count_bits == second;
            const std::uint64_t count = same ? seen & ((1U << count_bits) - 1) : 0;
            if (count >= per_second_max_) return false;
            const std::uint64_t next = (second << count_bits) | (count + 1);
            if (taken_.compare_exchange_weak(seen, next, std::memory_order_relaxed)) return true;
        }
    }

private:
    static constexpr unsigned count_bits = 16;

    const std::uint32_t per_second_max_;
    std::atomic<std::uint64_t> taken_{0};  // the second, and 16 bits of count
};

}  // namespace firstcome::telemetry
