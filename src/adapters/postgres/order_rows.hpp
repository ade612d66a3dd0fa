// src/adapters/postgres/order_rows.hpp - the columns of an order, in the order they are read
#pragma once

#include "adapters/postgres/connection.hpp"
#include "domain/order.hpp"

#include <optional>
#include <string_view>

namespace firstcome::postgres {

/// Eight columns of `orders`. The last: as the buyer was told.
#define FC_ORDER_COLUMNS \
    "order_id, user_id, item_id, quantity, sequence, accepted_at, status, durability"

/// The same of `failed_order_events`: parked is `processing`, given up is `failed`.
#define FC_PARKED_COLUMNS                                           \
    "order_id, user_id, item_id, quantity, sequence, accepted_at, " \
    "CASE status WHEN 'discarded' THEN 'failed' ELSE 'processing' END AS status, durability"

/// From `first` on; nothing: the row breaks a rule of the domain.
[[nodiscard]] std::optional<domain::Order> order_of(
    const Rows& rows, std::size_t row, int first = 0
);

[[nodiscard]] std::optional<domain::Durability> durability_from(std::string_view text);

}  // namespace firstcome::postgres
