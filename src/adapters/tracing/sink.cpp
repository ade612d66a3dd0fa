// src/adapters/tracing/sink.cpp - a sink whose deliveries are spans of the orders they are about
#include "adapters/tracing/sink.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::tracing {

using domain::Event;
using ports::Delivery;
using ports::Span;
using ports::SpanKind;

namespace {

// Beyond it all are forgotten, and a wait may be told twice: of events that were given up nobody
// says that they are over.
constexpr std::size_t waits_max = 8192;

bool is_traced(const Event& event) {
    return event.trace.sampled && event.trace.span != 0;
}

// An order nobody follows may have none at all.
bool has_trace(const Event& event) {
    return (event.trace.trace_high | event.trace.trace_low) != 0;
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
    if (recorder_ == nullptr) return inner_.deliver(events);
    if (!kind_.one_by_one) return deliver_together(events);
    for (std::size_t at = 0; at < events.size(); ++at) {
        Delivery delivery = deliver_together(events.subspan(at, 1));
        if (delivery.failure) return {.delivered = at, .failure = std::move(delivery.failure)};
    }
    return {.delivered = events.size(), .failure = {}};
}

Delivery Sink::deliver_together(std::span<const Event> events) {
    std::vector<Event> told;
    if (std::ranges::any_of(events, is_traced)) told.assign(events.begin(), events.end());
    for (Event& event : told) {
        if (is_traced(event)) event.trace.span = recorder_->new_id();
    }
    const base::MonotonicTime began = clock_.monotonic();
    Delivery delivery = inner_.deliver(told.empty() ? events : std::span<const Event>{told});
    if (told.empty() && !delivery.failure) return delivery;
    for (std::size_t at = 0; at < events.size(); ++at) {
        const bool failed = at >= delivery.delivered;
        const ports::DeliveryFailure* failure = failed ? &*delivery.failure : nullptr;
        if (is_traced(events[at])) {
            record(events[at], told[at].trace, began, failure, events.size());
        } else if (failed && has_trace(events[at])) {
            record_unsampled(events[at], began, *failure, events.size());
        }
    }
    return delivery;
}

void Sink::record_unsampled(
    const Event& event,
    base::MonotonicTime began,
    const ports::DeliveryFailure& failure,
    std::size_t together
) {
    if (!unsampled_.take(began)) return recorder_->drop();
    domain::TraceContext attempt = event.trace;
    attempt.span = recorder_->new_id();
    record(event, attempt, began, &failure, together);
}

// With the first attempt, also one that failed: what hangs below it would else hang in the air as
// long as nobody takes the event.
void Sink::record_wait(const Event& event, ports::SpanTime until, bool delivered) {
    if (kind_.tried_before) return;
    const std::uint64_t id = outbox_span_of(event);
    if (waits_recorded_.size() >= waits_max) waits_recorded_.clear();
    const bool is_new =
        delivered ? waits_recorded_.erase(id) == 0 : waits_recorded_.insert(id).second;
    if (!is_new) return;
    Span outbox = span_about(event, "outbox", consumer());
    outbox.context.span = id;
    outbox.parent = event.trace.span;
    outbox.kind = SpanKind::producer;
    outbox.start = std::min<ports::SpanTime>(event.occurred_at, until);
    outbox.end = until;
    outbox.attributes.push_back({"messaging.operation.type", "send"});
    recorder_->record(std::move(outbox));
}

void Sink::record(
    const Event& event,
    const domain::TraceContext& attempt,
    base::MonotonicTime began,
    const ports::DeliveryFailure* failure,
    std::size_t together
) {
    const ports::SpanTime start = recorder_->at(began);
    record_wait(event, start, failure == nullptr);
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
    }
    recorder_->record(std::move(relay));
}

}  // namespace firstcome::tracing
