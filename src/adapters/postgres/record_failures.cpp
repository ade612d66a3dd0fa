// src/adapters/postgres/record_failures.cpp - orders that failed, and their units
#include "adapters/postgres/order_rows.hpp"
#include "adapters/postgres/record.hpp"

#include <optional>
#include <vector>

namespace firstcome::postgres {

using domain::Order;
using ports::Failed;
using ports::RecordError;

namespace {

std::unexpected<RecordError> failed(const SqlFailure& failure, std::string_view attempted) {
    return std::unexpected(record_error(failure, attempted));
}

}  // namespace

// The parked entry is locked first: whoever is just delivering it has locked it too, so afterwards
// the order is either stored or never will be.
Record::Result<std::optional<Failed>> Record::fail(domain::OrderId order, std::string_view reason) {
    auto transaction = Transaction::begin(connection_);
    if (!transaction) return failed(transaction.error(), "begin to fail an order");
    auto locked = connection_.write(
        "SELECT FROM failed_order_events WHERE consumer = 'orders' AND event_id = $1 FOR UPDATE",
        {order}
    );
    if (!locked) return failed(locked.error(), "lock a parked order");
    auto decided = fail_stored(order, reason);
    if (decided && !*decided && !locked->empty()) decided = fail_parked(order, reason);
    if (!decided || !*decided || !(*decided)->first) return decided;
    if (auto noted = note_failed((*decided)->order, reason); !noted) {
        return std::unexpected(noted.error());
    }
    auto committed = transaction->commit();
    if (!committed) return failed(committed.error(), "commit a failed order");
    return decided;
}

Record::Result<std::optional<Failed>> Record::fail_stored(
    domain::OrderId order, std::string_view reason
) {
    auto gone = connection_.write(
        R"(
WITH gone AS (
    UPDATE orders SET status = 'failed', failed_reason = $2
    WHERE order_id = $1 AND status = 'confirmed' RETURNING *
), moved AS (
    UPDATE items SET sold = sold - gone.quantity, compensating = compensating + gone.quantity
    FROM gone WHERE items.item_id = gone.item_id
)
SELECT )" FC_ORDER_COLUMNS " FROM gone",
        {order, reason}
    );
    if (!gone) return failed(gone.error(), "fail an order");
    const bool first = !gone->empty();
    auto rows =
        first
            ? std::move(gone)
            : connection_.read(
                  "SELECT " FC_ORDER_COLUMNS ", given_back FROM orders WHERE order_id = $1", {order}
              );
    if (!rows) return failed(rows.error(), "read an order");
    if (rows->empty()) return std::nullopt;
    const auto found = order_of(*rows, 0);
    if (!found) return std::unexpected(RecordError::corrupt);
    return Failed{.order = *found, .first = first, .given_back = !first && rows->boolean(0, 8)};
}

Record::Result<std::optional<Failed>> Record::fail_parked(
    domain::OrderId order, std::string_view reason
) {
    auto gone = connection_.write(
        "UPDATE failed_order_events SET status = 'discarded', reason = $2, who = 'release', "
        "next_attempt = NULL, claim_until = NULL, settled_at = $3 "
        "WHERE consumer = 'orders' AND event_id = $1 AND status IN ('retrying', 'dead')",
        {order, reason, clock_.wall()}
    );
    if (!gone) return failed(gone.error(), "give up a parked order");
    auto rows = connection_.read(
        "SELECT " FC_PARKED_COLUMNS
        ", compensated FROM failed_order_events WHERE consumer = 'orders' "
        "AND event_type = 'order.accepted' AND event_id = $1",
        {order}
    );
    if (!rows) return failed(rows.error(), "read a parked order");
    if (rows->empty()) return std::nullopt;
    const auto found = order_of(*rows, 0);
    if (!found) return std::unexpected(RecordError::corrupt);
    return Failed{
        .order = *found, .first = gone->changed() == 1, .given_back = rows->boolean(0, 8)};
}

Record::Result<void> Record::note_failed(const Order& order, std::string_view reason) {
    auto noted = connection_.write(
        "INSERT INTO audit_log (at, who, what, subject, reason) "
        "VALUES ($1, 'release', 'order.failed', $2, $3)",
        {clock_.wall(), order.id.text(), reason}
    );
    if (!noted) return failed(noted.error(), "write an audit row");
    if (!options_.events) return {};
    auto told = connection_.write(
        R"(
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, occurred_at)
VALUES ($1, 'order', $4, 'order.failed', jsonb_build_object('orderId', $2, 'userId', $3,
    'itemId', $4, 'quantity', $5, 'sequence', $6, 'status', 'failed', 'acceptedAt', $7,
    'durability', $8), $9) ON CONFLICT (id) DO NOTHING)",
        {event_id_of(order.id, domain::EventType::order_failed),
         order.id,
         order.user,
         order.item,
         order.quantity,
         order.sequence,
         order.accepted_at,
         name(order.durability),
         clock_.wall()}
    );
    if (!told) return failed(told.error(), "write an event");
    return {};
}

// The epoch's row is locked first: a rebuild that begins later waits, and reads that the units are
// back; one that has begun may have read that they are taken, so that they stay so here.
Record::Result<void> Record::given_back(domain::OrderId order, const ports::Epoch& epoch) {
    auto done = connection_.write(
        R"(
WITH epoch AS (
    SELECT FROM epochs WHERE shard = $2 AND number = $3 AND run_id = $4 FOR SHARE
), back AS (
    UPDATE orders SET given_back = true
    WHERE EXISTS (SELECT FROM epoch) AND order_id = $1 AND status = 'failed' AND NOT given_back
    RETURNING item_id, quantity
), parked AS (
    UPDATE failed_order_events SET compensated = true
    WHERE EXISTS (SELECT FROM epoch)
      AND consumer = 'orders' AND event_id = $1 AND status = 'discarded' AND NOT compensated
), moved AS (
    UPDATE items SET compensating = compensating - back.quantity
    FROM back WHERE items.item_id = back.item_id
)
SELECT count(*) FROM epoch)",
        {order, order.shard(), epoch.number, epoch.run_id}
    );
    if (!done) return failed(done.error(), "note that units are back");
    if (done->integer(0, 0) == 0) return std::unexpected(RecordError::not_ours);
    return {};
}

Record::Result<std::vector<Order>> Record::not_given_back(unsigned shard, std::size_t max) {
    auto rows = connection_.read(
        "(SELECT " FC_ORDER_COLUMNS
        " FROM orders WHERE shard = $1 AND status = 'failed' AND NOT given_back "
        "ORDER BY order_id LIMIT $2) UNION ALL (SELECT " FC_PARKED_COLUMNS
        " FROM failed_order_events WHERE status = 'discarded' AND NOT compensated "
        "AND consumer = 'orders' AND event_type = 'order.accepted' AND shard = $1 "
        "ORDER BY id LIMIT $2) LIMIT $2",
        {shard, max}
    );
    if (!rows) return failed(rows.error(), "look for units to give back");
    std::vector<Order> orders;
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const auto order = order_of(*rows, row);
        if (!order) return std::unexpected(RecordError::corrupt);
        orders.push_back(*order);
    }
    return orders;
}

Record::Result<void> Record::note_repair(const domain::ItemId& item, std::string_view what) {
    auto noted = connection_.write(
        "INSERT INTO audit_log (at, who, what, subject, reason) "
        "VALUES ($1, 'conservation', 'stock.repair', $2, $3)",
        {clock_.wall(), item, what}
    );
    if (!noted) return failed(noted.error(), "write an audit row");
    return {};
}

}  // namespace firstcome::postgres
