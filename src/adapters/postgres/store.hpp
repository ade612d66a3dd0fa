// src/adapters/postgres/store.hpp - finds what was stored, and what is parked
#pragma once

#include "adapters/postgres/pool.hpp"
#include "ports/order_store.hpp"

#include <chrono>
#include <cstddef>

namespace firstcome::postgres {

/// A page of a user's orders, for the test that looks at its plan.
extern const std::string_view list_sql;

struct StoreOptions {
    ConnectionOptions connection;
    std::size_t sessions = 4;  ///< readers asking at once; the others wait
};

/// Orders in PostgreSQL, parked ones among them. What is still in the ledger's outbox is not.
///
/// Thread   any, many at once
/// Source   ADR-0010, "Reads"
class Store final : public ports::OrderStore {
public:
    explicit Store(const StoreOptions& options);

    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    ) override;
    [[nodiscard]] std::expected<ports::OrderPage, ports::StoreError> list(
        const ports::OrderQuery& query
    ) override;

private:
    template <typename T>
    using Read = std::expected<T, ports::StoreError>;

    [[nodiscard]] Read<Rows> ask(std::string_view sql, std::initializer_list<Param> params);

    Pool pool_;
};

}  // namespace firstcome::postgres
