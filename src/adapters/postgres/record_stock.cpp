// src/adapters/postgres/record_stock.cpp - stock changes, one at a time per item
#include "adapters/postgres/record.hpp"
#include "adapters/postgres/storable.hpp"
#include "domain/sale.hpp"
#include "telemetry/log.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace firstcome::postgres {

namespace {

using domain::StockChange;
using domain::StockFigures;
using domain::StockRejected;
using domain::StockRejection;
using ports::Changed;
using ports::RecordedItem;
using ports::RecordError;

// First of the two numbers of the lock that orders the changes of an item: "FCST". It is not the
// item's row lock, for which the relay would have to wait while the sale is asked.
constexpr std::int64_t stock_lock = 0x46435354;

std::unexpected<RecordError> failed(const SqlFailure& failure, std::string_view attempted) {
    return std::unexpected(record_error(failure, attempted));
}

// What a change asks for, spelled once: two changes under one key are the same if these are.
std::string payload_of(const StockChange& change) {
    const auto time = [](const std::optional<std::optional<domain::WallTime>>& given) {
        if (!given) return std::string("-");
        return *given ? std::to_string((*given)->time_since_epoch().count()) : std::string("none");
    };
    std::string limit = "-";
    if (change.per_user_limit) {
        limit = *change.per_user_limit ? std::to_string(**change.per_user_limit) : "none";
    }
    return fmt::format(
        "{} {} {} {} {} {}",
        change.item.text(),
        name(change.operation),
        change.quantity,
        time(change.opens_at),
        time(change.closes_at),
        limit
    );
}

// What is committed is what the sale has given out, where that is more than what is stored: the
// rest is on its way here.
StockFigures with_live(StockFigures figures, const std::optional<StockFigures>& live) {
    if (!live) return figures;
    const domain::Units given_out = live->total() - live->remaining;
    figures.sold = std::max(figures.sold, given_out - figures.compensating);
    figures.orders = std::max(figures.orders, live->orders);
    figures.remaining = figures.total() - figures.sold - figures.compensating;
    return figures;
}

RecordedItem wanted_of(RecordedItem item, const StockFigures& after, std::uint64_t movement) {
    StockFigures& figures = item.figures;
    figures.initial = after.initial;
    figures.restocked = after.restocked;
    figures.remaining = figures.total() - figures.sold - figures.compensating;
    figures.window = after.window;
    figures.per_user_limit = after.per_user_limit;
    figures.as_of = after.as_of;
    item.movement = movement;
    return item;
}

constexpr std::string_view insert_movement = R"(
INSERT INTO stock_movements (at, item_id, operation, quantity, reason, who, trace_id, key, payload,
    before_total, after_initial, after_restocked, after_remaining, after_sold, after_compensating,
    after_orders, after_opens_at, after_closes_at, after_per_user_limit)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
RETURNING id)";

constexpr std::string_view upsert_item = R"(
INSERT INTO items (item_id, shard, initial, restocked, opens_at, closes_at, per_user_limit,
    movement, as_of)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (item_id) DO UPDATE SET initial = excluded.initial, restocked = excluded.restocked,
    opens_at = excluded.opens_at, closes_at = excluded.closes_at,
    per_user_limit = excluded.per_user_limit, movement = excluded.movement, as_of = excluded.as_of
WHERE items.shard = excluded.shard)";

}  // namespace

Record::Result<std::variant<Changed, StockRejected>> Record::change_stock(
    unsigned shard, const StockChange& change, const Live& live, const Lower& lower
) {
    auto transaction = Transaction::begin(connection_);
    if (!transaction) return failed(transaction.error(), "begin a stock change");
    auto locked = connection_.write(
        "SELECT pg_advisory_xact_lock($1::int, hashtext($2))", {stock_lock, change.item}
    );
    if (!locked) return failed(locked.error(), "wait for another change of the item");
    auto known = repeated(change, payload_of(change));
    if (!known) return std::unexpected(known.error());
    if (*known) return std::move(**known);
    auto changed = change_locked(shard, change, live, lower);
    if (!changed || std::holds_alternative<StockRejected>(*changed)) return changed;
    auto committed = transaction->commit();
    if (!committed) return failed(committed.error(), "commit a stock change");
    return changed;
}

Record::Result<std::optional<std::variant<Changed, StockRejected>>> Record::repeated(
    const StockChange& change, const std::string& payload
) {
    if (!change.key) return std::nullopt;
    auto rows = connection_.read(
        "SELECT payload, at, after_initial, after_restocked, after_remaining, after_sold, "
        "after_compensating, after_orders, after_opens_at, after_closes_at, after_per_user_limit "
        "FROM stock_movements WHERE key = $1",
        {*change.key}
    );
    if (!rows) return failed(rows.error(), "look for a repeated change");
    if (rows->empty()) return std::nullopt;
    if (rows->text(0, 0) != payload) {
        return StockRejected{.why = StockRejection::idempotency_key_reused};
    }
    auto now = item(change.item);
    if (!now) return std::unexpected(now.error());
    if (!*now) return std::unexpected(RecordError::corrupt);
    StockFigures figures;
    figures.item = change.item;
    figures.as_of = rows->time(0, 1);
    figures.initial = rows->integer(0, 2);
    figures.restocked = rows->integer(0, 3);
    figures.remaining = rows->integer(0, 4);
    figures.sold = rows->integer(0, 5);
    figures.compensating = rows->integer(0, 6);
    figures.orders = static_cast<domain::Sequence>(rows->integer(0, 7));
    figures.window = {rows->maybe_time(0, 8), rows->maybe_time(0, 9)};
    figures.per_user_limit = rows->maybe_integer(0, 10);
    return Changed{.item = **now, .answer = {.figures = figures, .replayed = true}};
}

Record::Result<std::variant<Changed, StockRejected>> Record::change_locked(
    unsigned shard, const StockChange& change, const Live& live, const Lower& lower
) {
    auto found = item(change.item);
    if (!found) return std::unexpected(found.error());
    if (!*found && change.operation != domain::StockOperation::set) {
        return StockRejected{.why = StockRejection::item_not_found};
    }
    RecordedItem recorded = found->value_or(RecordedItem{});
    recorded.figures.item = change.item;
    auto in_sale = live();
    if (!in_sale) return std::unexpected(in_sale.error());
    const StockFigures before = with_live(recorded.figures, *in_sale);
    if (before.remaining < 0) {
        log::error("more is sold than there is", {{"item", change.item.text()}});
        return std::unexpected(RecordError::corrupt);
    }
    domain::Sale sale{change.item};
    sale.adopt(before);
    const auto decided = sale.changed(change, clock_.wall());
    if (const auto* no = std::get_if<StockRejected>(&decided)) return *no;
    const auto& after = std::get<StockFigures>(decided);

    auto movement = write_movement(change, before, after);
    if (!movement) return std::unexpected(movement.error());
    const RecordedItem wanted = wanted_of(recorded, after, *movement);
    if (after.total() < before.total()) {
        const auto lowered = lower(wanted);
        if (!lowered) return std::unexpected(lowered.error());
        if (const auto* no = std::get_if<StockRejected>(&*lowered)) return *no;
        const auto stays = stay_in(shard, std::get<ports::Epoch>(*lowered));
        if (!stays) return std::unexpected(stays.error());
    }
    if (auto written = write_item(shard, wanted); !written) return std::unexpected(written.error());
    const bool appeared = !before.per_user_limit && after.per_user_limit && after.orders > 0;
    return Changed{.item = wanted, .answer = {.figures = after}, .limit_appeared = appeared};
}

Record::Result<std::uint64_t> Record::write_movement(
    const StockChange& change, const StockFigures& before, const StockFigures& after
) {
    auto row = connection_.write(
        insert_movement,
        {after.as_of,
         change.item,
         name(change.operation),
         change.quantity,
         storable(change.reason),
         storable(change.who),
         change.trace_id,
         change.key,
         payload_of(change),
         before.total(),
         after.initial,
         after.restocked,
         after.remaining,
         after.sold,
         after.compensating,
         after.orders,
         after.window.opens_at,
         after.window.closes_at,
         after.per_user_limit}
    );
    if (!row) return failed(row.error(), "write a stock movement");
    return static_cast<std::uint64_t>(row->integer(0, 0));
}

// A rebuild that has begun since the sale was lowered read the total as it was, and opens the sale
// with it. One that begins later waits for our lock, and so reads what we commit.
Record::Result<void> Record::stay_in(unsigned shard, const ports::Epoch& epoch) {
    auto row = connection_.write(
        "SELECT FROM epochs WHERE shard = $1 AND number = $2 AND run_id = $3 FOR SHARE",
        {shard, epoch.number, epoch.run_id}
    );
    if (!row) return failed(row.error(), "lock the epoch");
    if (row->empty()) return std::unexpected(RecordError::not_ours);
    return {};
}

// Last of all: from here to the commit the relay waits for the row.
Record::Result<void> Record::write_item(unsigned shard, const RecordedItem& item) {
    const StockFigures& figures = item.figures;
    auto written = connection_.write(
        upsert_item,
        {figures.item,
         shard,
         figures.initial,
         figures.restocked,
         figures.window.opens_at,
         figures.window.closes_at,
         figures.per_user_limit,
         item.movement,
         figures.as_of}
    );
    if (!written) return failed(written.error(), "write an item");
    if (written->changed() == 1) return {};
    log::error("an item is stored under another shard", {{"item", figures.item.text()}});
    return std::unexpected(RecordError::corrupt);
}

}  // namespace firstcome::postgres
