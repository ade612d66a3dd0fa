// src/adapters/guarded/store.hpp - a circuit breaker around any order store
#pragma once

#include "base/time.hpp"
#include "ports/order_store.hpp"
#include "resilience/circuit_breaker.hpp"

#include <memory>

namespace firstcome::guarded {

/// While the breaker is open every read answers unavailable at once. What is corrupt was read, so
/// the store is well: only `unavailable` counts as a failure.
///
/// Thread   as the store inside; the breaker may be shared
class Store final : public ports::OrderStore {
public:
    /// `breaker`, `clock` outlive this.
    Store(
        std::unique_ptr<ports::OrderStore> inner,
        resilience::CircuitBreaker& breaker,
        const base::Clock& clock
    )
        : inner_(std::move(inner)), breaker_(breaker), clock_(clock) {}

    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    ) override;
    [[nodiscard]] std::expected<ports::OrderPage, ports::StoreError> list(
        const ports::OrderQuery& query
    ) override;

private:
    std::unique_ptr<ports::OrderStore> inner_;
    resilience::CircuitBreaker& breaker_;
    const base::Clock& clock_;
};

}  // namespace firstcome::guarded
