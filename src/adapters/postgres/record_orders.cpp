// src/adapters/postgres/record_orders.cpp - stored orders, as a rebuild must know them
#include "adapters/postgres/order_rows.hpp"
#include "adapters/postgres/record.hpp"

#include <algorithm>
#include <array>

namespace firstcome::postgres {

using ports::RecordError;

namespace {

constexpr std::size_t ids_a_call = 10'000;
constexpr std::size_t declared_a_call = 1'000;  // written, not only read

constexpr domain::OrderId id_max{.high = ~std::uint64_t{0}, .low = ~std::uint64_t{0}};

// Where a piece of $2 rows that begins at $1 ends: rows are counted, not those that are looked for,
// so that a piece takes no longer where few are.
constexpr std::string_view select_piece_end =
    "SELECT order_id FROM orders WHERE order_id >= $1 ORDER BY order_id OFFSET $2 LIMIT 1";

constexpr std::string_view select_parked_piece_end =
    "SELECT event_id FROM failed_order_events WHERE consumer = 'orders' AND event_id >= $1 "
    "ORDER BY event_id OFFSET $2 LIMIT 1";

constexpr std::string_view select_bought =
    "SELECT item_id, user_id, sum(quantity)::bigint FROM orders "
    "WHERE item_id = ANY($1) AND order_id >= $2 AND order_id < $3 AND status = 'confirmed' "
    "GROUP BY item_id, user_id";

constexpr std::string_view select_parked_bought =
    "SELECT item_id, user_id, sum(quantity)::bigint FROM failed_order_events f "
    "WHERE item_id = ANY($1) AND consumer = 'orders' AND event_type = 'order.accepted' "
    "AND status IN ('retrying', 'dead') "
    "AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = f.order_id) "
    "GROUP BY item_id, user_id";

// $1, $2: from which id to below which; $3: shard; $4: accepted at or after.
constexpr std::string_view select_keys =
    "SELECT " FC_ORDER_COLUMNS
    ", key FROM orders WHERE order_id >= $1 AND order_id < $2 AND shard = $3 "
    "AND key IS NOT NULL AND accepted_at >= $4 ORDER BY order_id";

constexpr std::string_view select_parked_keys =
    "SELECT " FC_PARKED_COLUMNS
    ", key FROM failed_order_events WHERE consumer = 'orders' "
    "AND event_type = 'order.accepted' AND event_id >= $1 AND event_id < $2 AND shard = $3 "
    "AND key IS NOT NULL AND accepted_at >= $4 AND status IN ('retrying', 'dead', 'discarded') "
    "ORDER BY event_id";

/// Where keys are.
struct KeyTable {
    std::string_view piece_end;
    std::string_view keys;
};

// Parked ones first: an order goes from there to the stored ones and never back, so one that goes
// between the two reads is met twice rather than missed.
constexpr std::array key_tables{
    KeyTable{select_parked_piece_end, select_parked_keys},
    KeyTable{select_piece_end, select_keys},
};

constexpr std::array<std::string_view, 2> lower_durability{
    "UPDATE failed_order_events SET durability = 'redis' "
    "WHERE consumer = 'orders' AND event_id = ANY($1) AND durability = 'database'",
    "UPDATE orders SET durability = 'redis' WHERE order_id = ANY($1) AND durability = 'database'"};

/// The lowest id an order made at `time` or later may have.
domain::OrderId first_id_at(domain::WallTime time) {
    const auto since = std::max<std::int64_t>(0, time.time_since_epoch().count());
    return {.high = static_cast<std::uint64_t>(since) << 16U, .low = 0};
}

std::unexpected<RecordError> failed(const SqlFailure& failure, std::string_view attempted) {
    return std::unexpected(record_error(failure, attempted));
}

}  // namespace

Record::Result<std::set<domain::OrderId>> Record::stored(std::span<const domain::OrderId> orders) {
    std::set<domain::OrderId> found;
    while (!orders.empty()) {
        const auto piece = orders.first(std::min(orders.size(), ids_a_call));
        orders = orders.subspan(piece.size());
        auto rows = connection_.read(
            "SELECT order_id FROM orders WHERE order_id = ANY($1) UNION ALL "
            "SELECT event_id FROM failed_order_events WHERE consumer = 'orders' "
            "AND event_type = 'order.accepted' AND event_id = ANY($1)",
            {std::vector(piece.begin(), piece.end())}
        );
        if (!rows) return failed(rows.error(), "look for stored orders");
        for (std::size_t row = 0; row < rows->size(); ++row) found.insert(rows->id(row, 0));
    }
    return found;
}

// In pieces, and parked ones first, each by a statement of its own: an order goes from there to the
// stored ones and never back, and what is told once needs no second telling, so that a slow server
// gets on with it too.
Record::Result<void> Record::declare(std::span<const domain::OrderId> orders) {
    while (!orders.empty()) {
        const auto piece = orders.first(std::min(orders.size(), declared_a_call));
        orders = orders.subspan(piece.size());
        keep_leads();
        for (const std::string_view lower : lower_durability) {
            auto done = connection_.write(lower, {std::vector(piece.begin(), piece.end())});
            if (!done) return failed(done.error(), "note what buyers were told");
        }
    }
    return {};
}

// Orders have no index on their item, which would cost each insert: they are read once for all the
// items, in pieces, so that no call takes long, as of one moment, so that none is missed or counted
// twice. An item's orders are younger than its first stock movement: the search begins there.
Record::Result<Record::Bought> Record::bought(
    std::span<const domain::ItemId> items, const std::function<bool()>& go_on
) {
    Bought bought;
    std::vector<std::string_view> names;
    for (const domain::ItemId& item : items) names.push_back(item.text());
    if (names.empty()) return bought;
    const auto transaction = Transaction::begin(connection_);
    if (!transaction) return failed(transaction.error(), "begin to count what users bought");
    auto frozen = connection_.read("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
    if (!frozen) return failed(frozen.error(), "begin to count what users bought");
    auto first =
        connection_.read("SELECT min(at) FROM stock_movements WHERE item_id = ANY($1)", {names});
    if (!first) return failed(first.error(), "look for the items' first movement");
    const auto began = first->maybe_time(0, 0);
    auto from = began ? first_id_at(*began - domain::id_clocks_apart_max) : domain::OrderId{};
    while (from != id_max) {
        const auto to = piece_end(select_piece_end, from);
        if (!to) return std::unexpected(to.error());
        auto counted = add_bought(bought, select_bought, {names, from, *to});
        if (!counted) return std::unexpected(counted.error());
        if (!go_on()) return std::unexpected(RecordError::unavailable);
        from = *to;
    }
    auto counted = add_bought(bought, select_parked_bought, {names});
    if (!counted) return std::unexpected(counted.error());
    return bought;
}

// Of millions of orders all pieces take longer than the server lets the leads be silent; whether
// they are still ours is asked by who relies on them.
void Record::keep_leads() {
    if (!held_.empty()) static_cast<void>(leads_.read("SELECT"));
}

Record::Result<domain::OrderId> Record::piece_end(std::string_view sql, domain::OrderId from) {
    keep_leads();
    auto next = connection_.read(sql, {from, options_.orders_a_piece});
    if (!next) return failed(next.error(), "look for the end of a piece");
    return next->empty() ? id_max : next->id(0, 0);
}

Record::Result<void> Record::add_bought(
    Bought& bought, std::string_view sql, std::initializer_list<Param> params
) {
    auto rows = connection_.read(sql, params);
    if (!rows) return failed(rows.error(), "count what users bought");
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const auto item = domain::ItemId::from(rows->text(row, 0));
        const auto user = domain::UserId::from(rows->text(row, 1));
        if (!item || !user) return std::unexpected(RecordError::corrupt);
        bought[*item][*user] += rows->integer(row, 2);
    }
    return {};
}

Record::Result<void> Record::keys(
    unsigned shard,
    domain::WallTime since,
    const std::function<bool(std::span<const ports::RecordedKey>)>& take
) {
    for (const KeyTable& table : key_tables) {
        domain::OrderId from = first_id_at(since - domain::id_clocks_apart_max);
        while (from != id_max) {
            const auto to = piece_end(table.piece_end, from);
            if (!to) return std::unexpected(to.error());
            auto piece = read_keys(table.keys, {from, *to, shard, since});
            if (!piece) return std::unexpected(piece.error());
            if (!take(*piece)) return std::unexpected(RecordError::unavailable);
            from = *to;
        }
    }
    return {};
}

Record::Result<std::vector<ports::RecordedKey>> Record::read_keys(
    std::string_view sql, std::initializer_list<Param> params
) {
    auto rows = connection_.read(sql, params);
    if (!rows) return failed(rows.error(), "read keys");
    std::vector<ports::RecordedKey> piece;
    piece.reserve(rows->size());
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const auto order = order_of(*rows, row);
        if (!order || rows->text(row, 8).size() != 16) return std::unexpected(RecordError::corrupt);
        piece.push_back({.key = rows->key(row, 8), .order = *order});
    }
    return piece;
}

}  // namespace firstcome::postgres
