// src/adapters/postgres/record.cpp - who leads, which epoch, and what was stored
#include "adapters/postgres/record.hpp"

#include "adapters/postgres/order_rows.hpp"
#include "base/hash.hpp"
#include "telemetry/log.hpp"

#include <algorithm>

namespace firstcome::postgres {

namespace {

using domain::Order;
using domain::StockFigures;
using ports::Epoch;
using ports::RecordedItem;
using ports::RecordError;

// First of the two numbers of each advisory lock of ours: "FCOM". The second is the shard.
constexpr std::int64_t lead_lock = 0x46434F4D;

// How far clocks of nodes and of Redis may be apart where a time is looked for by order id.
constexpr std::chrono::hours clocks_apart{1};
// The same where missing one would break a promise: a day and an hour.
constexpr std::chrono::hours clocks_apart_max{25};

constexpr std::size_t ids_a_call = 10'000;
constexpr std::int64_t keys_a_piece = 5'000;

// Parked orders took units too: they count as compensating until stored, or until they are known to
// be back; a place in line is never given twice, so they count for the sequence for ever.
constexpr std::string_view select_items = R"(
SELECT i.item_id, i.initial, i.restocked, i.opens_at, i.closes_at, i.per_user_limit, i.sold,
       i.compensating + coalesce(parked.units, 0),
       greatest(i.orders, coalesce(line.last, 0)), i.movement, i.as_of
FROM items i
LEFT JOIN LATERAL (
    SELECT sum(greatest(f.quantity, 0))::bigint AS units FROM failed_order_events f
    WHERE f.item_id = i.item_id AND f.consumer = 'orders' AND f.event_type = 'order.accepted'
      AND (f.status IN ('retrying', 'dead') OR (f.status = 'discarded' AND NOT f.compensated))
      AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = f.order_id)
) parked ON true
LEFT JOIN LATERAL (
    SELECT max(f.sequence) AS last FROM failed_order_events f
    WHERE f.item_id = i.item_id AND f.consumer = 'orders'
) line ON true
)";

// $1: above which id; $2: shard; $3: accepted at or after; $4: how many.
constexpr std::string_view select_keys =
    "SELECT " FC_ORDER_COLUMNS
    ", key FROM orders WHERE order_id > $1 AND shard = $2 "
    "AND key IS NOT NULL AND accepted_at >= $3 ORDER BY order_id LIMIT $4";

constexpr std::string_view select_parked_keys =
    "SELECT " FC_PARKED_COLUMNS
    ", key FROM failed_order_events WHERE consumer = 'orders' "
    "AND event_type = 'order.accepted' AND event_id > $1 AND shard = $2 AND key IS NOT NULL "
    "AND accepted_at >= $3 AND status IN ('retrying', 'dead', 'discarded') "
    "ORDER BY event_id LIMIT $4";

std::optional<RecordedItem> item_of(const Rows& rows, std::size_t row) {
    const auto id = domain::ItemId::from(rows.text(row, 0));
    if (!id) return std::nullopt;
    RecordedItem item;
    StockFigures& figures = item.figures;
    figures.item = *id;
    figures.initial = rows.integer(row, 1);
    figures.restocked = rows.integer(row, 2);
    figures.window = {rows.maybe_time(row, 3), rows.maybe_time(row, 4)};
    figures.per_user_limit = rows.maybe_integer(row, 5);
    figures.sold = rows.integer(row, 6);
    figures.compensating = rows.integer(row, 7);
    figures.orders = static_cast<domain::Sequence>(rows.integer(row, 8));
    figures.remaining = figures.total() - figures.sold - figures.compensating;
    figures.as_of = rows.time(row, 10);
    item.movement = static_cast<std::uint64_t>(rows.integer(row, 9));
    return item;
}

/// The lowest id an order made at `time` or later may have.
domain::OrderId first_id_at(domain::WallTime time) {
    const auto since = std::max<std::int64_t>(0, time.time_since_epoch().count());
    return {.high = static_cast<std::uint64_t>(since) << 16U, .low = 0};
}

std::unexpected<RecordError> failed(const SqlFailure& failure, std::string_view attempted) {
    return std::unexpected(record_error(failure, attempted));
}

// Its questions are few, and the best plan differs with what is asked: a new item, an old one.
ConnectionOptions planned_anew(ConnectionOptions options) {
    options.plans_kept = false;
    return options;
}

ConnectionOptions leads_of(const RecordOptions& options) {
    ConnectionOptions leads = options.connection;
    leads.name += " leads";
    leads.idle_session_timeout = options.lead_timeout;
    leads.call_timeout = std::min(leads.call_timeout, options.lead_timeout);
    return leads;
}

}  // namespace

RecordError record_error(const SqlFailure& failure, std::string_view attempted) {
    switch (failure.error) {
        case SqlError::unavailable: return RecordError::unavailable;
        case SqlError::outcome_unknown: return RecordError::outcome_unknown;
        case SqlError::refused: break;
    }
    log::error(
        "PostgreSQL refused",
        {{"attempted", attempted}, {"sqlstate", failure.sqlstate}, {"error", failure.text}}
    );
    // 23505: two did the same at the same time; asked again, the later one sees the earlier.
    if (failure.sqlstate == "23505") return RecordError::unavailable;
    const bool broken = failure.sqlstate.starts_with("22") || failure.sqlstate.starts_with("23");
    return broken ? RecordError::corrupt : RecordError::unavailable;
}

domain::OrderId event_id_of(const domain::OrderId& order, domain::EventType type) {
    return {.high = order.high, .low = order.low ^ static_cast<std::uint64_t>(type)};
}

Record::Record(const RecordOptions& options, const base::Clock& clock, base::Entropy& entropy)
    : options_(options),
      clock_(clock),
      entropy_(entropy),
      connection_(planned_anew(options.connection)),
      leads_(leads_of(options)) {}

Record::Result<bool> Record::lead(unsigned shard) {
    if (held_.contains(shard)) {
        auto alive = leads_.read("SELECT");
        if (alive && leads_.session() == held_session_) return true;
        held_.clear();
        if (!alive) return failed(alive.error(), "keep the lead");
    }
    auto rows = leads_.read(
        "SELECT pg_try_advisory_lock($1::int, $2::int)", {lead_lock, std::int64_t{shard}}
    );
    if (leads_.session() != held_session_ || !leads_.is_open()) held_.clear();
    if (!rows) return failed(rows.error(), "take the lead");
    held_session_ = leads_.session();
    if (!rows->boolean(0, 0)) return false;
    held_.insert(shard);
    return true;
}

Record::Result<std::string> Record::secret() {
    const base::KeyedHash::Secret drawn = base::KeyedHash::new_secret(entropy_);
    auto made = connection_.write(
        "INSERT INTO settings (name, value) VALUES ('hash_secret', $1) ON CONFLICT DO NOTHING",
        {std::span<const std::byte>(drawn)}
    );
    if (!made) return failed(made.error(), "make the secret");
    auto rows = connection_.read("SELECT value FROM settings WHERE name = 'hash_secret'");
    if (!rows) return failed(rows.error(), "read the secret");
    if (rows->empty() || rows->text(0, 0).size() != drawn.size()) {
        return std::unexpected(RecordError::corrupt);
    }
    return std::string(rows->text(0, 0));
}

Record::Result<Epoch> Record::epoch(unsigned shard) {
    auto rows = connection_.read("SELECT number, run_id FROM epochs WHERE shard = $1", {shard});
    if (!rows) return failed(rows.error(), "read the epoch");
    if (rows->empty()) return Epoch{};
    return Epoch{
        .number = static_cast<std::uint64_t>(rows->integer(0, 0)),
        .run_id = std::string(rows->text(0, 1))};
}

Record::Result<Epoch> Record::advance_epoch(
    unsigned shard, const Epoch& from, std::string_view run_id
) {
    auto rows = connection_.write(
        "INSERT INTO epochs (shard, number, run_id) SELECT $1, $2 + 1, $4 "
        "WHERE $2 = 0 OR EXISTS (SELECT FROM epochs WHERE shard = $1) "
        "ON CONFLICT (shard) DO UPDATE SET number = excluded.number, run_id = excluded.run_id, "
        "changed_at = now() WHERE epochs.number = $2 AND epochs.run_id = $3 "
        "RETURNING number",
        {shard, from.number, from.run_id, run_id}
    );
    if (!rows) return failed(rows.error(), "advance the epoch");
    if (rows->empty()) return std::unexpected(RecordError::not_ours);
    return Epoch{
        .number = static_cast<std::uint64_t>(rows->integer(0, 0)), .run_id = std::string(run_id)};
}

Record::Result<std::vector<RecordedItem>> Record::read_items(
    std::string_view where, const Param& param
) {
    auto rows = connection_.read(std::string(select_items) + std::string(where), {param});
    if (!rows) return failed(rows.error(), "read items");
    std::vector<RecordedItem> items;
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const auto item = item_of(*rows, row);
        if (!item) return std::unexpected(RecordError::corrupt);
        items.push_back(*item);
    }
    return items;
}

Record::Result<std::vector<RecordedItem>> Record::items(unsigned shard) {
    return read_items("WHERE i.shard = $1 ORDER BY i.item_id", shard);
}

Record::Result<std::optional<RecordedItem>> Record::item(const domain::ItemId& item) {
    auto found = read_items("WHERE i.item_id = $1", item);
    if (!found) return std::unexpected(found.error());
    if (found->empty()) return std::nullopt;
    return found->front();
}

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

// Orders have no index on their item, which would cost each insert. An item's orders are younger
// than its first stock movement, so the search begins there.
Record::Result<std::vector<std::pair<domain::UserId, domain::Units>>> Record::bought(
    const domain::ItemId& item
) {
    auto first = connection_.read("SELECT min(at) FROM stock_movements WHERE item_id = $1", {item});
    if (!first) return failed(first.error(), "look for an item's first movement");
    const auto began = first->maybe_time(0, 0);
    const auto bound = began ? first_id_at(*began - clocks_apart_max) : domain::OrderId{};
    auto rows = connection_.read(
        R"(
SELECT user_id, sum(quantity)::bigint FROM (
    SELECT user_id, quantity FROM orders
    WHERE order_id >= $2 AND item_id = $1 AND status = 'confirmed'
    UNION ALL
    SELECT user_id, quantity FROM failed_order_events f
    WHERE item_id = $1 AND consumer = 'orders' AND event_type = 'order.accepted'
      AND status IN ('retrying', 'dead')
      AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = f.order_id)
) live GROUP BY user_id)",
        {item, bound}
    );
    if (!rows) return failed(rows.error(), "count what users bought");
    std::vector<std::pair<domain::UserId, domain::Units>> bought;
    bought.reserve(rows->size());
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const auto user = domain::UserId::from(rows->text(row, 0));
        if (!user) return std::unexpected(RecordError::corrupt);
        bought.emplace_back(*user, rows->integer(row, 1));
    }
    return bought;
}

Record::Result<void> Record::keys(
    unsigned shard,
    domain::WallTime since,
    const std::function<void(std::span<const ports::RecordedKey>)>& take
) {
    for (const std::string_view sql : {select_keys, select_parked_keys}) {
        domain::OrderId above = first_id_at(since - clocks_apart);
        for (bool more = true; more;) {
            auto piece = read_keys(sql, {above, shard, since, keys_a_piece});
            if (!piece) return std::unexpected(piece.error());
            if (!piece->empty()) take(*piece);
            more = piece->size() == static_cast<std::size_t>(keys_a_piece);
            if (more) above = piece->back().order.id;
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
