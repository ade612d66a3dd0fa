// src/domain/event.hpp - what happened to an order or an item, for those who must hear of it
#pragma once

#include "domain/order.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::domain {

/// The enumerator is the event's name outside, with the first `_` as a dot: `order.accepted`.
enum class EventType : std::uint8_t {
    order_accepted,   // decided: units taken, place in line given
    order_confirmed,  // in the system of record
    order_failed,     // given up: units given back
    stock_low,        // the item's remaining units fell to the threshold or below
    stock_sold_out,   // nothing remains
};
[[nodiscard]] std::string_view name(EventType type);
[[nodiscard]] std::optional<EventType> event_type_from(std::string_view text);

/// One event on its way from an outbox to a sink. It may be delivered more than once, always with
/// the same id.
struct Event {
    std::string position;  ///< where its outbox keeps it; only that outbox can read it
    OrderId id;            ///< the event's own id, a UUIDv7; of order_accepted: the order's id
    EventType type = EventType::order_accepted;
    /// The order it is about. stock_*: the order that took the last unit counted, so that the item
    /// and its place in line are known.
    Order order;
    std::optional<KeyHash> key;  ///< order_accepted: under which it is remembered
    TraceContext trace;
    Units remaining = 0;  ///< stock_*: units left
    Units total = 0;      ///< stock_*: units there were in all
    WallTime occurred_at;
};

}  // namespace firstcome::domain
