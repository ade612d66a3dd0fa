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

}  // namespace firstcome::postgres
