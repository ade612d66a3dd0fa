// src/adapters/tracing/sink.cpp - a sink whose deliveries are spans of the orders they are about
#include "adapters/tracing/sink.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::tracing {

using domain::Event;
using ports::Delivery;
using ports::Span;
using ports::SpanKind;

namespace {

bool is_traced(const Event& event) {
    return event.trace.sampled && event.trace.span != 0;
}

// The same however often the event is delivered.
std::uint64_t outbox_span_of(const Event& event) {
    return ports::derived_span_id(event.trace.span, event.id.low);
}

Span span_about(const Event& event, std::string name, std::string_view consumer) {
    Span span;
    span.context = event.trace;
    span.name = std::move(name) + " " + std::string(consumer);
    span.attributes = {
        {"messaging.system", "firstcome"},
        {"messaging.destination.name", std::string(consumer)},
        {"messaging.message.id", event.id.text()},
        {"firstcome.event.type", std::string(domain::name(event.type))},
        {"firstcome.order.id", event.order.id.text()},
    };
    return span;
}

}  // namespace

Delivery Sink::deliver(std::span<const Event> events) {
    if (recorder_ == nullptr || std::ranges::none_of(events, is_traced)) {
        return inner_.deliver(events);
    }
    return kind_.one_by_one ? deliver_one_by_one(events) : deliver_traced(events);
}

Delivery Sink::deliver_one_by_one(std::span<const Event> events) {
    for (std::size_t at = 0; at < events.size(); ++at) {
        const auto one = events.subspan(at, 1);
        Delivery delivery = is_traced(one.front()) ? deliver_traced(one) : inner_.deliver(one);
        if (delivery.failure) return {.delivered = at, .failure = std::move(delivery.failure)};
    }
    return {.delivered = events.size(), .failure = {}};
}

Delivery Sink::deliver_traced(std::span<const Event> events) {
    std::vector<Event> told{events.begin(), events.end()};
    for (Event& event : told) {
        if (is_traced(event)) event.trace.span = recorder_->new_id();
    }
    const base::MonotonicTime began = clock_.monotonic();
    Delivery delivery = inner_.deliver(told);
    for (std::size_t at = 0; at < events.size(); ++at) {
        if (!is_traced(events[at])) continue;
        const bool failed = at >= delivery.delivered;
        const ports::DeliveryFailure* failure = failed ? &*delivery.failure : nullptr;
        record(events[at], told[at].trace, began, failure, events.size());
    }
    return delivery;
}

void Sink::record(
    const Event& event,
    const domain::TraceContext& attempt,
    base::MonotonicTime began,
    const ports::DeliveryFailure* failure,
    std::size_t together
) {
    const ports::SpanTime start = recorder_->at(began);
    Span relay = span_about(event, "relay", consumer());
    relay.context = attempt;
    relay.parent = outbox_span_of(event);
    relay.kind = SpanKind::consumer;
    relay.start = start;
    relay.end = recorder_->at(clock_.monotonic());
    relay.attributes.push_back({"messaging.operation.type", "process"});
    relay.attributes.push_back(
        {"messaging.batch.message_count", static_cast<std::int64_t>(together)}
    );
    if (!kind_.database.empty()) {
        relay.attributes.push_back({"db.system.name", std::string(kind_.database)});
        relay.attributes.push_back({"db.operation.name", "INSERT"});
        relay.attributes.push_back({"db.collection.name", "orders"});
    }
    if (failure != nullptr) {
        relay.failed = true;
        relay.error = ports::plain_text(failure->error);
        relay.attributes.push_back({"error.type", std::string(ports::name(failure->cause))});
        recorder_->record(std::move(relay));
        return;
    }
    Span outbox = span_about(event, "outbox", consumer());
    outbox.context.span = outbox_span_of(event);
    outbox.parent = event.trace.span;
    outbox.kind = SpanKind::producer;
    outbox.start = std::min<ports::SpanTime>(event.occurred_at, start);
    outbox.end = start;
    outbox.attributes.push_back({"messaging.operation.type", "send"});
    recorder_->record(std::move(outbox));
    recorder_->record(std::move(relay));
}

}  // namespace firstcome::tracing
