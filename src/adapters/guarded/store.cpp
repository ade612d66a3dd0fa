// src/adapters/guarded/store.cpp - asks the breaker before it reads, and tells it how it went
#include "adapters/guarded/store.hpp"

namespace firstcome::guarded {

using ports::StoreError;

namespace {

template <typename Read>
auto ask(resilience::CircuitBreaker& breaker, const base::Clock& clock, Read read)
    -> decltype(read()) {
    auto permit = breaker.try_acquire(clock.monotonic());
    if (!permit) return std::unexpected(StoreError::unavailable);
    auto found = read();
    const bool failed = !found && found.error() == StoreError::unavailable;
    if (failed) permit->fail(clock.monotonic());
    if (!failed) permit->succeed(clock.monotonic());
    return found;
}

}  // namespace

std::expected<std::optional<domain::Order>, StoreError> Store::find(domain::OrderId id) {
    return ask(breaker_, clock_, [&] { return inner_->find(id); });
}

std::expected<ports::OrderPage, StoreError> Store::list(const ports::OrderQuery& query) {
    return ask(breaker_, clock_, [&] { return inner_->list(query); });
}

}  // namespace firstcome::guarded
