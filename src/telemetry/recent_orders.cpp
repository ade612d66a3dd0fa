// src/telemetry/recent_orders.cpp - one lane writes tenths of a second, anybody sums them up
#include "telemetry/recent_orders.hpp"

#include <algorithm>
#include <bit>

namespace firstcome::telemetry {

namespace {

constexpr std::uint64_t nanoseconds_min = 1000;  // below a microsecond all are alike
constexpr std::chrono::nanoseconds latency_max = std::chrono::hours{1};

/// Only the lane writes, so a plain sum needs no locked instruction. Release: who reads the sum
/// also sees that the slot was taken for a new tick before.
template <typename Number>
void add_to(std::atomic<Number>& counter, std::uint64_t more) {
    const auto now = counter.load(std::memory_order_relaxed);
    counter.store(static_cast<Number>(now + more), std::memory_order_release);
}

}  // namespace

std::size_t RecentOrders::bucket_of(std::chrono::nanoseconds latency) {
    const auto within = std::clamp(latency, std::chrono::nanoseconds{0}, latency_max);
    const auto scaled =
        static_cast<std::uint64_t>(within.count()) * steps_per_octave / nanoseconds_min;
    if (scaled < steps_per_octave) return 0;
    // The highest bit is the octave, the three bits below it the step.
    const auto shift = static_cast<std::size_t>(std::bit_width(scaled)) -
                       static_cast<std::size_t>(std::bit_width(steps_per_octave));
    const std::size_t step = static_cast<std::size_t>(scaled >> shift) - steps_per_octave;
    return std::min(shift * steps_per_octave + step, latency_buckets - 1);
}

std::chrono::nanoseconds RecentOrders::upper_bound_of(std::size_t bucket) {
    const std::uint64_t octave = bucket / steps_per_octave;
    const std::uint64_t step = bucket % steps_per_octave + steps_per_octave + 1;
    return std::chrono::nanoseconds{(step << octave) * nanoseconds_min / steps_per_octave};
}

void RecentOrders::add(
    base::MonotonicTime now, std::uint64_t accepted, std::chrono::nanoseconds latency
) {
    const std::int64_t tick = now.time_since_epoch() / slot_time;
    Slot& slot = slots_[static_cast<std::size_t>(tick) % slot_count];
    if (slot.tick.load(std::memory_order_relaxed) != tick) {
        // A reader looks at the tick before and after: what it read in between is of one tick.
        slot.tick.store(-1, std::memory_order_relaxed);
        slot.accepted.store(0, std::memory_order_release);
        for (auto& count : slot.latencies) count.store(0, std::memory_order_release);
        slot.tick.store(tick, std::memory_order_release);
    }
    add_to(slot.accepted, accepted);
    add_to(slot.latencies[bucket_of(latency)], accepted);
}

RecentFigures RecentOrders::figures(
    std::span<const RecentOrders* const> lanes, base::MonotonicTime now
) {
    constexpr std::int64_t ticks_1s = std::chrono::seconds{1} / slot_time;
    constexpr std::int64_t ticks_10s = std::chrono::seconds{10} / slot_time;
    const std::int64_t tick_now = now.time_since_epoch() / slot_time;
    std::uint64_t accepted_1s = 0;
    std::uint64_t accepted_10s = 0;
    std::array<std::uint64_t, latency_buckets> latencies{};
    for (const RecentOrders* lane : lanes) {
        for (const Slot& slot : lane->slots_) {
            const std::int64_t tick = slot.tick.load(std::memory_order_acquire);
            if (tick < 0 || tick >= tick_now || tick < tick_now - ticks_10s) continue;
            const std::uint64_t accepted = slot.accepted.load(std::memory_order_acquire);
            std::array<std::uint32_t, latency_buckets> counts;
            for (std::size_t at = 0; at < latency_buckets; ++at) {
                counts[at] = slot.latencies[at].load(std::memory_order_acquire);
            }
            if (slot.tick.load(std::memory_order_relaxed) != tick) continue;
            accepted_10s += accepted;
            if (tick >= tick_now - ticks_1s) accepted_1s += accepted;
            for (std::size_t at = 0; at < latency_buckets; ++at) latencies[at] += counts[at];
        }
    }

    RecentFigures figures{
        .accepted_per_second_1s = static_cast<double>(accepted_1s),
        .accepted_per_second_10s = static_cast<double>(accepted_10s) / 10,
        .p50 = {},
        .p99 = {},
    };
    std::uint64_t total = 0;
    for (const auto count : latencies) total += count;
    if (total == 0) return figures;
    const auto quantile = [&](std::uint64_t percent) {
        const std::uint64_t rank = (total * percent + 99) / 100;  // the smallest with so many below
        std::uint64_t below = 0;
        std::size_t bucket = 0;
        while (below + latencies[bucket] < rank) below += latencies[bucket++];
        return upper_bound_of(bucket);
    };
    figures.p50 = quantile(50);
    figures.p99 = quantile(99);
    return figures;
}

}  // namespace firstcome::telemetry
