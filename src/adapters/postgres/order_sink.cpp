// src/adapters/postgres/order_sink.cpp - one statement, one transaction, one round trip a batch
#include "adapters/postgres/order_sink.hpp"

#include "adapters/postgres/record.hpp"
#include "base/failpoint.hpp"

#include <algorithm>
#include <vector>

namespace firstcome::postgres {

namespace {

using domain::Event;
using domain::EventType;
using ports::Cause;

constexpr std::size_t error_size_max = 1000;
constexpr std::chrono::minutes wall_clock_slack{59};  // a key lives for an hour at least

// One statement with arrays is the fastest of three ways measured (bench/postgres_bench.cpp): the
// server's CPU for an order is 14-18 us, with COPY into a staging table 19-21, with one pipelined
// INSERT an order 47-53. Of it the two indexes beside the primary key take about 5 us each; among
// 20 million rows, where they are larger than the server's cache, it is 29 us.
//
// The statement, in parts. Each part is executed once, as of one snapshot; the epoch's row and the
// parked entries are locked, so they are read as they are and not as they were.
//
//   epoch     the shard's row if it is in our epoch; its lock keeps the epoch from moving on
//   parked    entries of these orders among the dead letters; a discarded one must not be stored,
//             and what was declared of a parked one meanwhile, its event does not know
//   inserted  the orders that were not there
//   counted   per item: units and highest place in line of those
//   moved     the items' rows afterwards
//   settled   entries of orders that are stored after all: parked, and then the relay repeated them
//   told      outbox rows, only with events
constexpr std::string_view epoch_part = R"(
WITH epoch AS (
    UPDATE epochs SET relayed = $16 WHERE shard = $13 AND number = $14 AND run_id = $15
    RETURNING shard
),)";

constexpr std::string_view any_epoch_part = R"(
WITH epoch AS (SELECT 0 AS shard),)";

constexpr std::string_view orders_part = R"(
wanted AS (
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        AS w (order_id, shard, user_id, item_id, quantity, sequence, accepted_at, durability,
              key, trace)
),
parked AS MATERIALIZED (
    SELECT event_id, status, durability FROM failed_order_events
    WHERE consumer = 'orders' AND event_id BETWEEN $11 AND $12 AND event_id = ANY($1) FOR SHARE
),
inserted AS (
    INSERT INTO orders (order_id, shard, user_id, item_id, quantity, sequence, accepted_at,
                        durability, key, trace)
    SELECT order_id, shard, user_id, item_id, quantity, sequence, accepted_at,
           CASE p.durability WHEN 'redis' THEN 'redis' ELSE w.durability END, key, trace
    FROM wanted w LEFT JOIN parked p ON p.event_id = w.order_id
    WHERE EXISTS (SELECT FROM epoch)
      AND order_id NOT IN (SELECT event_id FROM parked WHERE status = 'discarded')
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id, shard, item_id, quantity, sequence
),
counted AS (
    SELECT item_id, min(shard) AS shard, sum(quantity)::bigint AS units, max(sequence) AS last
    FROM inserted GROUP BY item_id
),
moved AS (
    INSERT INTO items AS i (item_id, shard, initial, restocked, sold, orders, as_of)
    SELECT item_id, shard, units, 0, units, last, now() FROM counted ORDER BY item_id
    ON CONFLICT (item_id) DO UPDATE SET
        sold = i.sold + excluded.sold,
        orders = greatest(i.orders, excluded.orders),
        initial = CASE i.movement WHEN 0 THEN i.initial + excluded.initial ELSE i.initial END,
        as_of = excluded.as_of
    RETURNING item_id, initial + restocked AS total,
              initial + restocked - sold - compensating AS remaining
))";

// Not for the desk, which settles the entry it holds itself.
constexpr std::string_view settled_part = R"(,
settled AS (
    UPDATE failed_order_events
    SET status = 'resolved', next_attempt = NULL, claim_until = NULL, settled_at = now()
    WHERE consumer = 'orders' AND status IN ('retrying', 'dead')
      AND event_id IN (SELECT order_id FROM inserted)
))";

// A crossing belongs to the last order counted. Rows of one item get rising positions in the order
// things happened.
constexpr std::string_view told_part = R"(,
told AS (
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, occurred_at, trace)
    SELECT e.id, e.about, e.item_id, e.type, e.payload, e.at, e.trace FROM (
        SELECT step.id, 'order' AS about, w.item_id, step.type, w.accepted_at AS at, w.trace,
               w.sequence, step.rank, jsonb_build_object('orderId', w.order_id, 'userId', w.user_id,
                   'itemId', w.item_id, 'quantity', w.quantity, 'sequence', w.sequence, 'status',
                   step.status, 'acceptedAt', w.accepted_at, 'durability', w.durability) AS payload
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $17, $18, $19)
            AS w (order_id, shard, user_id, item_id, quantity, sequence, accepted_at, durability,
                  key, trace, confirmed, low, sold_out)
        JOIN inserted USING (order_id)
        CROSS JOIN LATERAL (VALUES (w.order_id, 'order.accepted', 'processing', 1),
                                   (w.confirmed, 'order.confirmed', 'confirmed', 2))
            AS step (id, type, status, rank)
        UNION ALL
        SELECT step.id, 'stock', w.item_id, step.type, w.accepted_at, w.trace, w.sequence,
               step.rank, jsonb_build_object('orderId', w.order_id, 'userId', w.user_id,
                   'itemId', w.item_id, 'quantity', w.quantity, 'sequence', w.sequence,
                   'status', 'confirmed', 'acceptedAt', w.accepted_at, 'durability', w.durability,
                   'remaining', m.remaining, 'total', m.total)
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $17, $18, $19, $20)
            AS w (order_id, shard, user_id, item_id, quantity, sequence, accepted_at, durability,
                  key, trace, confirmed, low, sold_out, low_percent)
        JOIN counted c ON c.item_id = w.item_id AND c.last = w.sequence
        JOIN moved m ON m.item_id = c.item_id
        CROSS JOIN LATERAL (VALUES
            (w.low, 'stock.low', 3, m.total * w.low_percent / 100),
            (w.sold_out, 'stock.sold_out', 4, 0)) AS step (id, type, rank, threshold)
        WHERE m.remaining <= step.threshold AND m.remaining + c.units > step.threshold
    ) e ORDER BY e.item_id, e.sequence, e.rank
    ON CONFLICT (id) DO NOTHING
))";

constexpr std::string_view answer_part = R"(
SELECT (SELECT count(*) FROM epoch), (SELECT count(*) FROM moved))";

constexpr std::string_view select_refused =
    "SELECT refused, code, error FROM refused_orders($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

std::vector<domain::OrderId> event_ids(const std::vector<domain::OrderId>& orders, EventType type) {
    std::vector<domain::OrderId> ids;
    ids.reserve(orders.size());
    for (const domain::OrderId& order : orders) ids.push_back(event_id_of(order, type));
    return ids;
}

}  // namespace

// Columns, as the statement takes them.
struct OrderSink::Batch {
    void add(const Event& event) {
        const domain::Order& order = event.order;
        ids.push_back(order.id);
        shards.push_back(order.id.shard());
        users.push_back(order.user.text());
        items.push_back(order.item.text());
        quantities.push_back(order.quantity);
        sequences.push_back(static_cast<std::int64_t>(order.sequence));
        accepted.push_back(order.accepted_at);
        durabilities.push_back(name(order.durability));
        keys.push_back(event.key);
        traces.push_back(event.trace);
        last_position = event.position;
    }

    /// The first ten parameters of the statements.
    [[nodiscard]] std::vector<Param> columns() const {
        return {
            ids, shards, users, items, quantities, sequences, accepted, durabilities, keys, traces};
    }

    std::vector<domain::OrderId> ids;
    std::vector<std::int64_t> shards;
    std::vector<std::string_view> users;
    std::vector<std::string_view> items;
    std::vector<std::int64_t> quantities;
    std::vector<std::int64_t> sequences;
    std::vector<domain::WallTime> accepted;
    std::vector<std::string_view> durabilities;
    std::vector<std::optional<domain::KeyHash>> keys;
    std::vector<domain::TraceContext> traces;
    std::vector<std::int64_t> low_percents;  // only with events
    std::string_view last_position;
};

Cause cause_of(const SqlFailure& failure) {
    const std::string_view sqlstate = failure.sqlstate;
    if (sqlstate.starts_with("53")) return Cause::overloaded;
    if (sqlstate.starts_with("40")) return Cause::conflict;
    // 28, 3D, 42: not let in, no right, no such table: it is not about any event, and giving all of
    // them up would only make work for the operator who mends it.
    const bool let_in = !sqlstate.empty() && !sqlstate.starts_with("28") &&
                        !sqlstate.starts_with("42") && sqlstate != "3D000";
    if (failure.error != SqlError::refused || !let_in) return Cause::unavailable;
    if (sqlstate == "23505") return Cause::duplicate;
    if (sqlstate.starts_with("22") || sqlstate.starts_with("23")) return Cause::invalid;
    return Cause::rejected;
}

OrderSink::OrderSink(OrderSinkOptions options, CurrentEpoch epoch, NotOurs not_ours)
    : options_(std::move(options)),
      epoch_(std::move(epoch)),
      not_ours_(std::move(not_ours)),
      connection_(options_.connection) {
    insert_ = epoch_ ? epoch_part : any_epoch_part;
    insert_ += orders_part;
    if (epoch_) insert_ += settled_part;
    if (options_.events) insert_ += told_part;
    insert_ += answer_part;
}

// What the server found refused is told one by one, as the relay comes to it; what stands before is
// stored.
ports::Delivery OrderSink::deliver(std::span<const Event> events) {
    const auto known = [this](const Event& event) {
        return std::ranges::find(refused_, event.order.id, &Refusal::order);
    };
    const auto bad = std::ranges::find_if(events, [&](const Event& event) {
        return event.type == EventType::order_accepted && known(event) != refused_.end();
    });
    if (bad == events.end()) {
        refused_.clear();  // of a batch that has passed
        return deliver_all(events);
    }
    const auto before = static_cast<std::size_t>(bad - events.begin());
    if (before > 0) {
        ports::Delivery delivery = deliver_all(events.first(before));
        if (delivery.failure) return delivery;
    }
    const auto refusal = known(*bad);
    ports::DeliveryFailure failure = std::move(refusal->failure);
    refused_.erase(refusal);
    return {.delivered = before, .failure = std::move(failure)};
}

ports::Delivery OrderSink::deliver_all(std::span<const Event> events) {
    Batch batch;
    for (const Event& event : events) {
        if (event.type != EventType::order_accepted) continue;
        batch.add(event);
        if (!options_.events) continue;
        batch.low_percents.push_back(options_.stock_low.percent_for(event.order.item));
    }
    if (batch.ids.empty()) return {.delivered = events.size(), .failure = {}};
    auto stored = store(batch);
    if (!stored && stored.error().sqlstate == "23505") {
        if (forget_expired_keys(batch)) stored = store(batch);
    }
    if (!stored) {
        const Cause cause = cause_of(stored.error());
        const bool refused = !ports::is_transient(cause);
        if (refused && events.size() > 1 && look_for_refused(batch)) return deliver(events);
        return {
            .delivered = 0,
            .failure = ports::DeliveryFailure{
                .cause = cause,
                .error = stored.error().text.substr(0, error_size_max),
                .exact = refused && events.size() == 1}};
    }
    if (*stored) return {.delivered = events.size(), .failure = {}};
    if (not_ours_) not_ours_();
    return {
        .delivered = 0,
        .failure = ports::DeliveryFailure{
            .cause = Cause::conflict, .error = "the shard is in another epoch", .exact = false}};
}

bool OrderSink::look_for_refused(const Batch& batch) {
    // Rolled back at the end: they are stored with their items, or not at all.
    const auto transaction = Transaction::begin(connection_);
    if (!transaction) return false;
    const auto rows = connection_.write(select_refused, batch.columns());
    if (!rows) return false;
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const SqlFailure failure{
            .error = SqlError::refused,
            .sqlstate = std::string(rows->text(row, 1)),
            .text = std::string(rows->text(row, 2))};
        refused_.push_back(
            {.order = rows->id(row, 0),
             .failure =
                 {.cause = cause_of(failure),
                  .error = failure.text.substr(0, error_size_max),
                  .exact = true}}
        );
    }
    return !rows->empty();
}

Result<bool> OrderSink::store(const Batch& batch) {
    std::optional<ports::Epoch> epoch;
    if (epoch_) {
        epoch = epoch_();
        if (!epoch) return false;
    }
    const auto [lowest, highest] = std::ranges::minmax(batch.ids);
    const std::uint64_t number = epoch ? epoch->number : 0;
    const std::string run_id = epoch ? epoch->run_id : std::string{};
    // What a statement does not mention may be there all the same.
    std::vector<Param> params = batch.columns();
    params.emplace_back(lowest);
    params.emplace_back(highest);
    params.emplace_back(options_.shard);
    params.emplace_back(number);
    params.emplace_back(run_id);
    params.emplace_back(batch.last_position);
    if (options_.events) {
        params.emplace_back(event_ids(batch.ids, EventType::order_confirmed));
        params.emplace_back(event_ids(batch.ids, EventType::stock_low));
        params.emplace_back(event_ids(batch.ids, EventType::stock_sold_out));
        params.emplace_back(batch.low_percents);
    }
    base::failpoint("before_store");
    auto rows = connection_.write(insert_, params);
    base::failpoint("after_store");
    if (!rows) return std::unexpected(std::move(rows.error()));
    return rows->integer(0, 0) > 0;
}

// A key may be used again after its lifetime; the old order then gives it up, so that the index
// goes on finding every live one twice. Lifetimes are Redis's to judge, by a clock that does not
// step: acceptance times are the wall clock's, hence the slack.
Result<void> OrderSink::forget_expired_keys(const Batch& batch) {
    const auto surely = std::max(options_.key_ttl - wall_clock_slack, std::chrono::seconds{0});
    const std::int64_t ttl_ms = std::chrono::milliseconds{surely}.count();
    auto done = connection_.write(
        "UPDATE orders o SET key = NULL FROM unnest($1, $2, $3) AS w (key, shard, accepted_at) "
        "WHERE o.key = w.key AND o.shard = w.shard "
        "AND o.accepted_at <= w.accepted_at - $4 * interval '1 millisecond'",
        {batch.keys, batch.shards, batch.accepted, ttl_ms}
    );
    if (!done) return std::unexpected(std::move(done.error()));
    return {};
}

}  // namespace firstcome::postgres
