// src/adapters/guarded/sink.cpp - asks the breaker before it delivers, and tells it how it went
#include "adapters/guarded/sink.hpp"

#include "base/assert.hpp"

namespace firstcome::guarded {

using ports::Cause;

bool counts_as_failure(Cause cause) {
    switch (cause) {
        case Cause::unavailable:
        case Cause::overloaded: return true;
        // The sink answered. Two transactions in each other's way are settled by trying again at
        // once; waiting behind an open breaker would only let the outbox grow.
        case Cause::conflict:
        case Cause::invalid:
        case Cause::duplicate:
        case Cause::rejected: return false;
    }
    FC_UNREACHABLE();
}

ports::Delivery Sink::deliver(std::span<const domain::Event> events) {
    auto permit = breaker_.try_acquire(clock_.monotonic());
    if (!permit) {
        return {
            .delivered = 0,
            .failure = ports::DeliveryFailure{
                .cause = Cause::unavailable,
                .error = "circuit breaker " + breaker_.name() + " is open"}};
    }
    ports::Delivery delivery = inner_.deliver(events);
    if (delivery.failure && counts_as_failure(delivery.failure->cause)) {
        permit->fail(clock_.monotonic());
    } else {
        permit->succeed(clock_.monotonic());
    }
    return delivery;
}

}  // namespace firstcome::guarded
