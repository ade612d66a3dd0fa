// src/telemetry/lane_counters.hpp - what one lane counts; written by its thread, read by anybody
#pragma once

#include "domain/order.hpp"
#include "ports/order_ledger.hpp"
#include "telemetry/recent_orders.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firstcome::telemetry {

/// A counter with one writer: no locked instruction on the lane.
class LaneCounter {
public:
    /// Thread   the lane
    void add(std::uint64_t more) {
        value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }

    /// Thread   any
    [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// Counts whole numbers (nanoseconds, orders) in buckets with fixed upper bounds.
template <std::size_t Bounds>
class LaneHistogram {
public:
    explicit LaneHistogram(const std::array<std::uint64_t, Bounds>& bounds) : bounds_(bounds) {}

    /// Thread   the lane
    void add(std::uint64_t value, std::uint64_t times = 1) {
        std::size_t at = 0;
        while (at < Bounds && value > bounds_[at]) ++at;
        counts_[at].add(times);
        sum_.add(value * times);
    }

    [[nodiscard]] std::uint64_t count(std::size_t at) const { return counts_[at].value(); }

    [[nodiscard]] std::uint64_t sum() const { return sum_.value(); }

private:
    const std::array<std::uint64_t, Bounds>& bounds_;  // a constant below
    std::array<LaneCounter, Bounds + 1> counts_;
    LaneCounter sum_;
};

/// Nanoseconds: 100 us (a fast disk's sync) to 10 s (a buyer's patience).
inline constexpr std::array<std::uint64_t, 16> time_bounds{
    100'000,
    250'000,
    500'000,
    1'000'000,
    2'500'000,
    5'000'000,
    10'000'000,
    25'000'000,
    50'000'000,
    100'000'000,
    250'000'000,
    500'000'000,
    1000'000'000,
    2500'000'000,
    5000'000'000,
    10'000'000'000,
};

/// Orders in a batch.
inline constexpr std::array<std::uint64_t, 11> size_bounds{
    1,
    2,
    4,
    8,
    16,
    32,
    64,
    128,
    256,
    512,
    1024,
};

/// Outcomes in the order they are counted: accepted, replayed, the rejections, the faults.
inline constexpr std::size_t outcome_accepted = 0;
inline constexpr std::size_t outcome_replayed = 1;
inline constexpr std::size_t outcome_rejected = 2;
inline constexpr std::size_t outcome_failed = outcome_rejected + domain::rejections.size();
inline constexpr std::size_t outcome_count = outcome_failed + ports::ledger_errors.size();

[[nodiscard]] constexpr std::size_t index_of(domain::Rejection why) {
    return outcome_rejected + static_cast<std::size_t>(why);
}

[[nodiscard]] constexpr std::size_t index_of(ports::LedgerError error) {
    return outcome_failed + static_cast<std::size_t>(error);
}

static_assert(index_of(ports::ledger_errors.back()) == outcome_count - 1, "all errors are listed");
static_assert(index_of(domain::rejections.back()) == outcome_failed - 1, "all noes are listed");

// Two lanes never share a cache line.
struct alignas(64) LaneCounters {
    std::array<LaneCounter, outcome_count> outcomes;
    LaneHistogram<time_bounds.size()> decision{time_bounds};
    LaneHistogram<time_bounds.size()> durable{time_bounds};
    LaneHistogram<time_bounds.size()> commit{time_bounds};
    LaneHistogram<size_bounds.size()> batch_size{size_bounds};
    RecentOrders recent;
};

}  // namespace firstcome::telemetry
