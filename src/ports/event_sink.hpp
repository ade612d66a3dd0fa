// src/ports/event_sink.hpp - the port events are delivered to: PostgreSQL, a webhook
#pragma once

#include "domain/event.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::ports {

/// Why an event could not be delivered, for the operator and the metrics label.
enum class Cause : std::uint8_t {
    // The sink is not to be reached or not able now. Never uses up an attempt.
    unavailable,  // connection refused, reset, timed out; SQLSTATE 08xxx, 57Pxx; breaker open
    overloaded,   // out of resources, told to slow down; SQLSTATE 53xxx, HTTP 429 and 5xx
    conflict,     // serialization failure, deadlock; SQLSTATE 40001, 40P01
    // The event itself is refused. Five attempts, then it stays for a person to look at.
    invalid,    // a constraint or the format; SQLSTATE 22xxx, 23xxx, HTTP 4xx
    duplicate,  // another order has this key; SQLSTATE 23505
    rejected,   // anything else the sink says no to
};
inline constexpr std::array causes{
    Cause::unavailable,
    Cause::overloaded,
    Cause::conflict,
    Cause::invalid,
    Cause::duplicate,
    Cause::rejected,
};
[[nodiscard]] std::string_view name(Cause cause);
[[nodiscard]] std::optional<Cause> cause_from(std::string_view text);

/// True: the same delivery may succeed later, and the attempt does not count.
[[nodiscard]] bool is_transient(Cause cause);

struct DeliveryFailure {
    Cause cause = Cause::unavailable;
    std::string error;   ///< the sink's own words, at most 1,000 characters, without secrets
    bool exact = false;  ///< it is the event at `delivered` that failed, not one of the rest
};

/// How far a delivery came: events [0, delivered) are in the sink for good.
struct Delivery {
    std::size_t delivered = 0;
    std::optional<DeliveryFailure> failure;  ///< set unless all were delivered
};

/// Takes events at least once each; the same event again changes nothing.
///
/// Thread   one relay or the dead letter desk at a time
class EventSink {
public:
    EventSink() = default;
    EventSink(const EventSink&) = delete;
    EventSink& operator=(const EventSink&) = delete;
    virtual ~EventSink() = default;

    /// Name of the consumer in dead letters and metrics: `orders`, `webhook`.
    [[nodiscard]] virtual std::string_view consumer() const = 0;

    /// Delivers in order; stops at the first failure. Blocks up to the sink's own deadline.
    [[nodiscard]] virtual Delivery deliver(std::span<const domain::Event> events) = 0;
};

}  // namespace firstcome::ports
