// src/telemetry/event_delays.hpp - how long events were under way, by stage
#pragma once

#include "base/time.hpp"
#include "domain/event.hpp"
#include "telemetry/counted.hpp"
#include "telemetry/families.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

namespace firstcome::telemetry {

class EventDelays {
public:
    /// Counts `now` - occurred_at of each; both are of the wall clock, which may be stepped: an
    /// event from the future took no time.
    ///
    /// Thread   any; a handful of added numbers a call, whatever its size
    void add(std::string_view stage, std::span<const domain::Event> events, base::WallTime now);

    /// firstcome_event_delay_seconds
    ///
    /// Thread   any
    void add_family(Families& out) const;

private:
    /// Upper bounds: a millisecond, what the wall clock tells, to an hour of a receiver's outage.
    static constexpr std::array<std::uint64_t, 16> bounds_ms{
        1,
        5,
        10,
        25,
        50,
        100,
        250,
        500,
        1'000,
        2'500,
        5'000,
        10'000,
        30'000,
        60'000,
        600'000,
        3'600'000,
    };

    struct Stage {
        std::array<std::atomic<std::uint64_t>, bounds_ms.size() + 1> counts{};
        std::atomic<std::uint64_t> sum_ms{0};
    };

    std::array<Stage, event_stages.size()> stages_;
};

}  // namespace firstcome::telemetry
