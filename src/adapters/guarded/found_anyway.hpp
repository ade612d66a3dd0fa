// src/adapters/guarded/found_anyway.hpp - finds orders in the store and on their way to it
#pragma once

#include "ports/order_store.hpp"

#include <cstddef>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace firstcome::guarded {

/// Orders that readers of this node were told to be confirmed or failed. While the store cannot be
/// asked, the outbox may still hold such an order as it was before: without this it would seem to
/// go back. Bounded: the one noted longest ago goes first.
///
/// Thread   any
class ShownOrders {
public:
    explicit ShownOrders(std::size_t max) : max_(max) {}

    /// One that is still processing is no news.
    void note(const domain::Order& order);
    [[nodiscard]] std::optional<domain::Order> find(domain::OrderId id) const;

private:
    struct Hash {
        std::size_t operator()(domain::OrderId id) const { return id.high ^ id.low; }
    };

    const std::size_t max_;
    mutable std::mutex mutex_;
    std::unordered_map<domain::OrderId, domain::Order, Hash> orders_;
    std::deque<domain::OrderId> line_;  // as they were noted
};

/// Where orders are before they are in the store.
struct OrdersOnTheirWay {
    template <typename T>
    using Read = std::expected<T, ports::StoreError>;

    /// The order as it waits in the outbox, or nothing.
    std::function<Read<std::optional<domain::Order>>(domain::OrderId)> find;
    /// Returns when all that was accepted before the call is in the store.
    std::function<Read<void>()> wait_until_stored;
    /// False: the store would answer unavailable, so nothing is waited for.
    std::function<bool()> store_is_asked;
};

/// A store whose orders are found while they still wait, also when it cannot be asked itself. What
/// the way takes or fails at is not the store's fault: a breaker belongs around `store`, not here.
///
/// Thread   as the store inside
/// Source   ADR-0010, "Reads"
class FoundAnyway final : public ports::OrderStore {
public:
    /// `shown` outlives this; all readers of a node share it.
    FoundAnyway(
        std::unique_ptr<ports::OrderStore> store, OrdersOnTheirWay on_their_way, ShownOrders& shown
    )
        : store_(std::move(store)), on_their_way_(std::move(on_their_way)), shown_(shown) {}

    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    ) override;
    [[nodiscard]] std::expected<ports::OrderPage, ports::StoreError> list(
        const ports::OrderQuery& query
    ) override;

private:
    using Found = std::expected<std::optional<domain::Order>, ports::StoreError>;

    [[nodiscard]] Found look(domain::OrderId id);
    [[nodiscard]] Found last_known(domain::OrderId id) const;

    std::unique_ptr<ports::OrderStore> store_;
    OrdersOnTheirWay on_their_way_;
    ShownOrders& shown_;  // outlives
};

}  // namespace firstcome::guarded
