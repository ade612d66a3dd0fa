// src/ports/outbox.hpp - the port to what was decided and is not delivered yet
#pragma once

#include "domain/event.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

namespace firstcome::ports {

/// Why an outbox could not be read or told. Each enumerator is another next move.
enum class OutboxError : std::uint8_t {
    unavailable,  // try again, with backoff; nothing is lost meanwhile
    not_ours,     // another node leads this line now: stop, and ask for the lead again
};
[[nodiscard]] std::string_view name(OutboxError error);

/// How much waits; for metrics and back-pressure.
struct OutboxDepth {
    std::uint64_t pending = 0;               ///< events
    std::chrono::milliseconds oldest_age{};  ///< of the oldest one; 0: none
};

/// One line of events, oldest first. What was pulled stays in it until it is acknowledged, so a
/// crash in between repeats events and loses none.
///
/// Thread   one relay at a time
class Outbox {
public:
    Outbox() = default;
    Outbox(const Outbox&) = delete;
    Outbox& operator=(const Outbox&) = delete;
    virtual ~Outbox() = default;

    /// The oldest unacknowledged events, about `max` of them (an outbox that stores batches gives
    /// whole batches); empty: none came within `wait`.
    ///
    /// Thread   the relay; blocks up to `wait`
    [[nodiscard]] virtual std::expected<std::vector<domain::Event>, OutboxError> pull(
        std::size_t max, std::chrono::milliseconds wait
    ) = 0;

    /// These are delivered or parked, and are forgotten here: the first ones of the last `pull`.
    [[nodiscard]] virtual std::expected<void, OutboxError> acknowledge(
        std::span<const domain::Event> events
    ) = 0;

    /// Ends a `pull` that waits, where it can be ended.
    ///
    /// Thread   any
    virtual void wake() {}

    /// As of the last pull or acknowledge.
    ///
    /// Thread   any; never waits
    [[nodiscard]] virtual OutboxDepth depth() const = 0;
};

}  // namespace firstcome::ports
