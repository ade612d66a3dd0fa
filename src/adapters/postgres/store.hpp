// src/adapters/postgres/store.hpp - finds what was accepted, wherever it is on its way
#pragma once

#include "adapters/postgres/pool.hpp"
#include "ports/order_store.hpp"

#include <chrono>
#include <cstddef>
#include <functional>

namespace firstcome::postgres {

/// A page of a user's orders, for the test that looks at its plan.
extern const std::string_view list_sql;

struct StoreOptions {
    ConnectionOptions connection;
    std::size_t sessions = 4;  ///< readers asking at once; the others wait
};

/// Orders in PostgreSQL, parked ones among them. What is still in the ledger's outbox comes from
/// the two functions given.
///
/// Thread   any, many at once; so must be the functions
/// Source   ADR-0010, "Reads"
class Store final : public ports::OrderStore {
public:
    /// The order as it waits in the outbox, or nothing.
    using FindInOutbox =
        std::function<std::expected<std::optional<domain::Order>, ports::StoreError>(domain::OrderId
        )>;
    /// Returns when all that was accepted before the call is in PostgreSQL.
    using WaitRelayed = std::function<std::expected<void, ports::StoreError>()>;

    Store(const StoreOptions& options, FindInOutbox find_in_outbox, WaitRelayed wait_relayed);

    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    ) override;
    [[nodiscard]] std::expected<ports::OrderPage, ports::StoreError> list(
        const ports::OrderQuery& query
    ) override;

private:
    template <typename T>
    using Read = std::expected<T, ports::StoreError>;

    [[nodiscard]] Read<std::optional<domain::Order>> look(domain::OrderId id);
    [[nodiscard]] Read<Rows> ask(std::string_view sql, std::initializer_list<Param> params);

    FindInOutbox find_in_outbox_;
    WaitRelayed wait_relayed_;
    Pool pool_;
};

}  // namespace firstcome::postgres
