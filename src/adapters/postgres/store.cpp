// src/adapters/postgres/store.cpp - by id and by user; each an index's work
#include "adapters/postgres/store.hpp"

#include "adapters/postgres/order_rows.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <algorithm>

namespace firstcome::postgres {

namespace {

using domain::Order;
using ports::StoreError;

// A parked order that was stored after all is found where it is stored.
constexpr std::string_view find_sql =
    "SELECT " FC_ORDER_COLUMNS
    ", true FROM orders WHERE order_id = $1 UNION ALL "
    "SELECT " FC_PARKED_COLUMNS
    ", false FROM failed_order_events WHERE consumer = 'orders' "
    "AND event_type = 'order.accepted' AND event_id = $1 AND status <> 'resolved' LIMIT 1";

// What is in PostgreSQL survives what PostgreSQL survives, whatever its buyer was told then.
std::optional<Order> order_at(const Rows& rows, std::size_t row) {
    auto order = order_of(rows, row);
    if (order && rows.boolean(row, 8)) order->durability = domain::Durability::database;
    return order;
}

}  // namespace

// $2: below which id; $3 item, $4 status: null for all; $5: how many. Nothing for a cursor that is
// not one of this user's orders.
const std::string_view list_sql = R"(
SELECT * FROM (
    (SELECT )" FC_ORDER_COLUMNS R"(, true AS stored FROM orders
     WHERE user_id = $1 AND order_id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
       AND ($3 IS NULL OR item_id = $3) AND ($4 IS NULL OR status = $4)
     ORDER BY order_id DESC LIMIT $5)
    UNION ALL
    (SELECT * FROM (
        SELECT )" FC_PARKED_COLUMNS R"(, false AS stored FROM failed_order_events f
        WHERE user_id = $1 AND order_id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
          AND consumer = 'orders' AND event_type = 'order.accepted' AND status <> 'resolved'
          AND ($3 IS NULL OR item_id = $3)
          AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = f.order_id)
     ) parked WHERE $4 IS NULL OR status = $4
     ORDER BY order_id DESC LIMIT $5)
) page
WHERE $2 IS NULL OR EXISTS (SELECT FROM orders WHERE order_id = $2 AND user_id = $1)
    OR EXISTS (SELECT FROM failed_order_events WHERE consumer = 'orders' AND event_id = $2
               AND user_id = $1)
ORDER BY order_id DESC LIMIT $5)";

Store::Store(const StoreOptions& options)
    : pool_(options.connection, options.sessions, options.connection.call_timeout) {}

std::expected<std::optional<Order>, StoreError> Store::find(domain::OrderId id) {
    auto rows = ask(find_sql, {id});
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) return std::nullopt;
    auto order = order_at(*rows, 0);
    if (!order) return std::unexpected(StoreError::corrupt);
    return order;
}

std::expected<ports::OrderPage, StoreError> Store::list(const ports::OrderQuery& query) {
    FC_ASSERT(query.limit > 0);
    const std::optional<std::string_view> item =
        query.item ? std::optional(query.item->text()) : std::nullopt;
    const std::optional<std::string_view> status =
        query.status ? std::optional(name(*query.status)) : std::nullopt;
    auto rows = ask(list_sql, {query.user, query.after, item, status, query.limit + 1});
    if (!rows) return std::unexpected(rows.error());
    ports::OrderPage page;
    const std::size_t shown = std::min(rows->size(), query.limit);
    for (std::size_t row = 0; row < shown; ++row) {
        const auto order = order_at(*rows, row);
        if (!order) return std::unexpected(StoreError::corrupt);
        page.orders.push_back(*order);
    }
    if (rows->size() > query.limit) page.next = page.orders.back().id;
    return page;
}

Store::Read<Rows> Store::ask(std::string_view sql, std::initializer_list<Param> params) {
    const Pool::Lease connection = pool_.take();
    if (!connection) return std::unexpected(StoreError::unavailable);
    auto rows = connection->read(sql, params);
    if (rows) return std::move(*rows);
    if (rows.error().error == SqlError::refused) {
        log::error(
            "PostgreSQL refused a read",
            {{"sqlstate", rows.error().sqlstate}, {"error", rows.error().text}}
        );
    }
    return std::unexpected(StoreError::unavailable);
}

}  // namespace firstcome::postgres
