// src/telemetry/event_delays.cpp - how long events were under way, by stage
#include "telemetry/event_delays.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace firstcome::telemetry {

void EventDelays::add(
    std::string_view stage, std::span<const domain::Event> events, base::WallTime now
) {
    const auto found = std::ranges::find(event_stages, stage);
    FC_ASSERT(found != event_stages.end());
    Stage& counted = stages_[static_cast<std::size_t>(found - event_stages.begin())];
    // Counted here first: several relays share a stage, and a batch is up to a thousand events.
    std::array<std::uint64_t, bounds_ms.size() + 1> counts{};
    std::uint64_t sum_ms = 0;
    for (const domain::Event& event : events) {
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::max(now - event.occurred_at, base::WallTime::duration{})
        );
        const auto ms = static_cast<std::uint64_t>(took.count());
        const auto bucket = std::ranges::lower_bound(bounds_ms, ms) - bounds_ms.begin();
        ++counts[static_cast<std::size_t>(bucket)];
        sum_ms += ms;
    }
    for (std::size_t at = 0; at < counts.size(); ++at) {
        if (counts[at] > 0) counted.counts[at].fetch_add(counts[at], std::memory_order_relaxed);
    }
    counted.sum_ms.fetch_add(sum_ms, std::memory_order_relaxed);
}

void EventDelays::add_family(Families& out) const {
    begin_histogram(
        out,
        "firstcome_event_delay_seconds",
        "From an event's happening to its arrival: orders in PostgreSQL, events at the webhook."
    );
    std::array<double, bounds_ms.size()> bounds{};
    std::ranges::transform(bounds_ms, bounds.begin(), [](std::uint64_t ms) {
        return static_cast<double>(ms) / 1e3;
    });
    for (std::size_t stage = 0; stage < event_stages.size(); ++stage) {
        std::array<std::uint64_t, bounds_ms.size() + 1> counts{};
        for (std::size_t at = 0; at < counts.size(); ++at) {
            counts[at] = stages_[stage].counts[at].load(std::memory_order_relaxed);
        }
        const auto sum_ms = stages_[stage].sum_ms.load(std::memory_order_relaxed);
        const Labels labels{{"stage", std::string{event_stages[stage]}}};
        add_histogram(out, bounds, counts, static_cast<double>(sum_ms) / 1e3, labels);
    }
}

}  // namespace firstcome::telemetry
