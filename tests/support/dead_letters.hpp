// tests/support/dead_letters.hpp - events and refusals as tests of dead letters need them
#pragma once

#include "domain/event.hpp"
#include "ports/event_sink.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace firstcome::test {

/// The n-th order of a run, just accepted; no two n share an id.
inline domain::Event accepted_event(
    unsigned n, std::string_view what = "shoe", std::int32_t quantity = 1
) {
    domain::Event event;
    event.id = {
        .high = 0x019A'0000'0000'7000ULL + (std::uint64_t{n} << 16U), .low = (1ULL << 63U) + n};
    event.order.id = event.id;
    event.order.user = user("ann");
    event.order.item = item(what);
    event.order.quantity = quantity;
    event.order.sequence = n;
    event.order.accepted_at = ManualClock{}.wall() - 5s;
    event.order.durability = domain::Durability::redis;
    event.occurred_at = event.order.accepted_at + 1ms;
    return event;
}

inline ports::DeliveryFailure refused(
    std::string error = "no", ports::Cause cause = ports::Cause::invalid
) {
    return {.cause = cause, .error = std::move(error), .exact = true};
}

/// All of an event but its position, as one line to compare.
inline std::string spoken(const domain::Event& event) {
    const auto number = [](auto value) { return ' ' + std::to_string(value); };
    const auto time = [&](domain::WallTime at) { return number(at.time_since_epoch().count()); };
    const domain::Order& order = event.order;
    std::string text = event.id.text() + ' ' + std::string(name(event.type)) + ' ' +
                       order.id.text() + ' ' + std::string(order.user.text()) + ' ' +
                       std::string(order.item.text()) + number(order.quantity) +
                       number(order.sequence) + time(order.accepted_at) + ' ' +
                       std::string(name(order.status)) + ' ' + std::string(name(order.durability));
    text += event.key ? number(event.key->high) + number(event.key->low) : " no key";
    text += number(event.trace.trace_high) + number(event.trace.trace_low);
    text += number(event.trace.span) + (event.trace.sampled ? " sampled" : " not sampled");
    return text + number(event.remaining) + number(event.total) + time(event.occurred_at);
}

}  // namespace firstcome::test
