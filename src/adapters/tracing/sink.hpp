// src/adapters/tracing/sink.hpp - a sink whose deliveries are spans of the orders they are about
#pragma once

#include "base/time.hpp"
#include "ports/event_sink.hpp"
#include "ports/spans.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::tracing {

/// For each event of a sampled trace: a span `outbox <consumer>`, once, from when it occurred to
/// when its delivery began; and for each attempt a span `relay <consumer>` below it. The inner sink
/// is given the event with the attempt as the span it belongs to, so whatever the sink does or
/// stores hangs below that. Events of no sampled trace pass as they are.
///
/// Thread   as the port says
/// Source   OpenTelemetry, "Semantic conventions for messaging spans"
class Sink final : public ports::EventSink {
public:
    /// How the inner sink takes events, and what it is.
    struct Kind {
        bool one_by_one = false;  ///< each event is a call of its own
        /// Set: a database, as `db.system.name` names it.
        std::string_view database = {};
    };

    /// All outlive this; `recorder` null: nothing is traced.
    Sink(
        ports::EventSink& inner, Kind kind, ports::SpanRecorder* recorder, const base::Clock& clock
    )
        : inner_(inner), kind_(kind), recorder_(recorder), clock_(clock) {}

    [[nodiscard]] std::string_view consumer() const override { return inner_.consumer(); }

    [[nodiscard]] ports::Delivery deliver(std::span<const domain::Event> events) override;

private:
    [[nodiscard]] ports::Delivery deliver_one_by_one(std::span<const domain::Event> events);
    [[nodiscard]] ports::Delivery deliver_traced(std::span<const domain::Event> events);
    void record(
        const domain::Event& event,
        const domain::TraceContext& attempt,
        base::MonotonicTime began,
        const ports::DeliveryFailure* failure,
        std::size_t together
    );

    ports::EventSink& inner_;  // outlives
    const Kind kind_;
    ports::SpanRecorder* recorder_;  // outlives; may be null
    const base::Clock& clock_;       // outlives
};

}  // namespace firstcome::tracing
