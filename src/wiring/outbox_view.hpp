// src/wiring/outbox_view.hpp - the outboxes of all shards, as a reader of orders needs them
#pragma once

#include "adapters/redis/connection.hpp"
#include "adapters/redis/outbox.hpp"
#include "base/time.hpp"
#include "ports/order_store.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::wiring {

/// Thread   one reader
class OutboxView {
public:
    explicit OutboxView(const base::Clock& clock) : clock_(&clock) {}

    void add_shard(unsigned shard, redis::ConnectionOptions options);

    /// The order, while it waits for PostgreSQL.
    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    );

    /// Returns when all that waited at the call is in PostgreSQL; unavailable: that takes too long.
    [[nodiscard]] std::expected<void, ports::StoreError> wait_until_relayed();

private:
    struct Shard {
        std::unique_ptr<redis::Connection> connection;
        std::unique_ptr<redis::OutboxReader> reader;
    };

    const base::Clock* clock_;  // outlives
    std::vector<Shard> shards_;
};

/// A store whose orders are found while they still wait, also when it cannot be asked itself.
class FoundAnyway final : public ports::OrderStore {
public:
    FoundAnyway(std::unique_ptr<ports::OrderStore> inner, std::shared_ptr<OutboxView> view)
        : inner_(std::move(inner)), view_(std::move(view)) {}

    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    ) override;

    [[nodiscard]] std::expected<ports::OrderPage, ports::StoreError> list(
        const ports::OrderQuery& query
    ) override {
        return inner_->list(query);
    }

private:
    std::unique_ptr<ports::OrderStore> inner_;
    std::shared_ptr<OutboxView> view_;
};

}  // namespace firstcome::wiring
