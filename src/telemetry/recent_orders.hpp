// src/telemetry/recent_orders.hpp - how fast orders went in the last ten seconds
#pragma once

#include "base/time.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace firstcome::telemetry {

struct RecentFigures {
    double accepted_per_second_1s = 0;
    double accepted_per_second_10s = 0;
    /// From joining the lane's line to the durable answer, of accepted orders; nothing: none
    /// lately.
    std::optional<std::chrono::nanoseconds> p50;
    std::optional<std::chrono::nanoseconds> p99;
};

/// A ring of tenths of a second. Written by one lane, read by anybody; a read may miss what is
/// being written right then, never more.
class RecentOrders {
public:
    /// Thread   the lane
    void add(base::MonotonicTime now, std::uint64_t accepted, std::chrono::nanoseconds latency);

    /// Several lanes as one, over the whole slots before `now`.
    ///
    /// Thread   any
    [[nodiscard]] static RecentFigures figures(
        std::span<const RecentOrders* const> lanes, base::MonotonicTime now
    );

private:
    static constexpr std::chrono::milliseconds slot_time{100};
    static constexpr std::size_t slot_count = 128;  // more than 10 s: the oldest read is not reused
    // Latencies in steps of an eighth of a power of two, 1 us .. 68 s: at most 12.5 % off.
    static constexpr std::size_t steps_per_octave = 8;
    static constexpr std::size_t latency_buckets = 26 * steps_per_octave;

    struct Slot {
        std::atomic<std::int64_t> tick{-1};  // which tenth this is; -1: being cleared
        std::atomic<std::uint64_t> accepted{0};
        std::array<std::atomic<std::uint32_t>, latency_buckets> latencies{};
    };

    static std::size_t bucket_of(std::chrono::nanoseconds latency);
    static std::chrono::nanoseconds upper_bound_of(std::size_t bucket);

    std::array<Slot, slot_count> slots_;
};

}  // namespace firstcome::telemetry
