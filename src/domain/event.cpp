// src/domain/event.cpp - the one spelling of every event
#include "domain/event.hpp"

#include "base/assert.hpp"

namespace firstcome::domain {

std::string_view name(EventType type) {
    switch (type) {
        case EventType::order_accepted: return "order.accepted";
        case EventType::order_confirmed: return "order.confirmed";
        case EventType::order_failed: return "order.failed";
        case EventType::stock_low: return "stock.low";
        case EventType::stock_sold_out: return "stock.sold_out";
    }
    FC_UNREACHABLE();
}

std::optional<EventType> event_type_from(std::string_view text) {
    using enum EventType;
    for (const EventType type :
         {order_accepted, order_confirmed, order_failed, stock_low, stock_sold_out}) {
        if (text == name(type)) return type;
    }
    return std::nullopt;
}

}  // namespace firstcome::domain
