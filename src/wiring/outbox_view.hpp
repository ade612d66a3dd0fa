// src/wiring/outbox_view.hpp - the outboxes of all shards, as a reader of orders needs them
#pragma once

#include "adapters/redis/connection.hpp"
#include "adapters/redis/outbox.hpp"
#include "base/time.hpp"
#include "ports/order_store.hpp"

#include <expected>
#include <memory>
#include <optional>
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

}  // namespace firstcome::wiring
