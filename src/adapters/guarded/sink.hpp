// src/adapters/guarded/sink.hpp - a circuit breaker around any event sink
#pragma once

#include "base/time.hpp"
#include "ports/event_sink.hpp"
#include "resilience/circuit_breaker.hpp"

namespace firstcome::guarded {

/// While the breaker is open nothing is delivered, and the failure is Cause::unavailable: it uses
/// up no attempt of any event.
///
/// Thread   as the sink inside; the breaker may be shared
class Sink final : public ports::EventSink {
public:
    /// All three outlive this.
    Sink(ports::EventSink& inner, resilience::CircuitBreaker& breaker, const base::Clock& clock)
        : inner_(inner), breaker_(breaker), clock_(clock) {}

    [[nodiscard]] std::string_view consumer() const override { return inner_.consumer(); }

    [[nodiscard]] ports::Delivery deliver(std::span<const domain::Event> events) override;

private:
    ports::EventSink& inner_;
    resilience::CircuitBreaker& breaker_;
    const base::Clock& clock_;
};

/// Whether the cause tells that the sink cannot be reached, or asks to be left alone.
[[nodiscard]] bool counts_as_failure(ports::Cause cause);

}  // namespace firstcome::guarded
