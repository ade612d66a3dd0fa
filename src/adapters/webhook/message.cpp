// src/adapters/webhook/message.cpp - an event as the JSON a receiver gets
#include "adapters/webhook/message.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>

#include <chrono>

namespace firstcome::webhook {

namespace {

using domain::EventType;

std::string timestamp(domain::WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    return fmt::format(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()),
        clock.hours().count(),
        clock.minutes().count(),
        clock.seconds().count(),
        clock.subseconds().count()
    );
}

// An id's characters need no escape in JSON; see domain::Id.
std::string id(std::string_view text) {
    if (domain::is_canonical_integer(text)) return std::string(text);
    return fmt::format("\"{}\"", text);
}

std::string order(const domain::Order& order) {
    return fmt::format(
        R"({{"orderId":"{}","userId":{},"itemId":{},"quantity":{},"status":"{}","sequence":{},)"
        R"("acceptedAt":"{}","durability":"{}"}})",
        order.id.text(),
        id(order.user.text()),
        id(order.item.text()),
        order.quantity,
        name(order.status),
        order.sequence,
        timestamp(order.accepted_at),
        name(order.durability)
    );
}

std::string stock(const domain::Event& event) {
    return fmt::format(
        R"({{"itemId":{},"remaining":{},"total":{}}})",
        id(event.order.item.text()),
        event.remaining,
        event.total
    );
}

std::string content(const domain::Event& event) {
    switch (event.type) {
        case EventType::order_accepted:
        case EventType::order_confirmed:
        case EventType::order_failed: return order(event.order);
        case EventType::stock_low:
        case EventType::stock_sold_out: return stock(event);
    }
    FC_UNREACHABLE();
}

}  // namespace

std::string message_body(const domain::Event& event) {
    return fmt::format(
        R"({{"type":"{}","id":"{}","timestamp":"{}","data":{}}})",
        name(event.type),
        event.id.text(),
        timestamp(event.occurred_at),
        content(event)
    );
}

std::optional<std::string> traceparent(const domain::TraceContext& trace) {
    if ((trace.trace_high | trace.trace_low) == 0 || trace.span == 0) return std::nullopt;
    return fmt::format(
        "00-{:016x}{:016x}-{:016x}-{}",
        trace.trace_high,
        trace.trace_low,
        trace.span,
        trace.sampled ? "01" : "00"
    );
}

}  // namespace firstcome::webhook
