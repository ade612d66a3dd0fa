// src/ports/order_store.hpp - the port that finds what was accepted
#pragma once

#include "domain/order.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <vector>

namespace firstcome::ports {

/// Why a read failed. Each enumerator is another next move.
enum class StoreError : std::uint8_t {
    unavailable,  // try again later
    corrupt,  // what is stored breaks an invariant: the operator runs the audit, nothing is skipped
};
[[nodiscard]] std::string_view name(StoreError error);

struct OrderQuery {
    domain::UserId user;
    std::optional<domain::ItemId> item;
    std::optional<domain::OrderStatus> status;
    std::size_t limit = 20;  ///< orders on a page, 1..100
    std::optional<domain::OrderId>
        after;  ///< continue below this one (the last of the page before)
};

struct OrderPage {
    std::vector<domain::Order> orders;    ///< newest first
    std::optional<domain::OrderId> next;  ///< there may be more below this one
};

/// The orders a 202 was given for; a reader sees an order at the latest when its buyer was told.
class OrderStore {
public:
    OrderStore() = default;
    OrderStore(const OrderStore&) = delete;
    OrderStore& operator=(const OrderStore&) = delete;
    virtual ~OrderStore() = default;

    /// Nothing: no such order.
    ///
    /// Thread   any reader thread (never an io thread: it may wait for the disk)
    [[nodiscard]] virtual std::expected<std::optional<domain::Order>, StoreError> find(
        domain::OrderId id
    ) = 0;

    /// A page of one user's orders, newest first; the cost does not grow with the orders of others.
    ///
    /// Thread   any reader thread
    [[nodiscard]] virtual std::expected<OrderPage, StoreError> list(const OrderQuery& query) = 0;
};

}  // namespace firstcome::ports
