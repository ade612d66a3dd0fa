// src/adapters/postgres/audit.cpp - checks what PostgreSQL has against the invariants
#include "adapters/postgres/audit.hpp"

#include "adapters/postgres/migrations.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace firstcome::postgres {

namespace {

// All orders there ever were, stored or parked, by item; beside them the item's own row and its
// last stock movement.
//
//   placed    each order once: live (its units are sold), failing (failed, not known to be back),
//             parked (a dead letter that holds its units)
//   counted   per item what its orders add up to
//   last      the last stock movement
constexpr std::string_view select_items = R"(
WITH placed AS (
    SELECT item_id, sequence, quantity, status = 'confirmed' AS live,
           status = 'failed' AND NOT given_back AS failing, false AS parked,
           status = 'failed' AS released
    FROM orders
    UNION ALL
    SELECT item_id, sequence, quantity, false, false,
           status IN ('retrying', 'dead') OR (status = 'discarded' AND NOT compensated),
           status = 'discarded'
    FROM failed_order_events f
    WHERE consumer = 'orders' AND event_type = 'order.accepted'
      AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = f.order_id)
), counted AS (
    SELECT item_id, count(*) AS orders, count(DISTINCT sequence) AS places, max(sequence) AS last,
           coalesce(sum(quantity) FILTER (WHERE live), 0)::bigint AS live,
           coalesce(sum(quantity) FILTER (WHERE failing), 0)::bigint AS failing,
           coalesce(sum(quantity) FILTER (WHERE parked), 0)::bigint AS parked,
           count(*) FILTER (WHERE released) AS released
    FROM placed GROUP BY item_id
)
SELECT coalesce(i.item_id, c.item_id), i.item_id IS NOT NULL,
       coalesce(i.initial, 0), coalesce(i.restocked, 0), coalesce(i.sold, 0),
       coalesce(i.compensating, 0), coalesce(i.orders, 0), coalesce(i.movement, 0),
       coalesce(c.orders, 0), coalesce(c.places, 0), coalesce(c.last, 0), coalesce(c.live, 0),
       coalesce(c.failing, 0), coalesce(c.parked, 0), coalesce(c.released, 0),
       m.id IS NOT NULL, m.after_initial, m.after_restocked,
       m.after_initial + m.after_restocked - m.after_remaining - m.after_sold
           - m.after_compensating, m.after_orders
FROM items i
FULL JOIN counted c ON c.item_id = i.item_id
LEFT JOIN stock_movements m ON m.id = i.movement
ORDER BY 1)";

enum Column : int {
    item,
    known,
    initial,
    restocked,
    sold,
    compensating,
    highest,
    movement,
    orders,
    places,
    last,
    live,
    failing,
    parked,
    released,
    moved,
    after_initial,
    after_restocked,
    after_drift,
    after_orders
};

// Places in line that do not follow the one before.
constexpr std::string_view select_gaps = R"(
SELECT sequence, before, order_id::text FROM (
    SELECT sequence, order_id, lag(sequence, 1, 0::bigint) OVER (ORDER BY sequence) AS before
    FROM (
        SELECT sequence, order_id FROM orders WHERE item_id = $1
        UNION ALL
        SELECT sequence, order_id FROM failed_order_events f
        WHERE item_id = $1 AND consumer = 'orders' AND event_type = 'order.accepted'
          AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = f.order_id)
    ) placed
) line WHERE sequence <> before + 1 ORDER BY sequence LIMIT 10)";

// Of items all of whose stock movements named a limit: the greatest of them is what a user could
// ever hold. Of the others nobody can tell what was allowed when.
constexpr std::string_view select_over_limit = R"(
WITH limited AS (
    SELECT item_id, max(after_per_user_limit) AS most FROM stock_movements
    GROUP BY item_id HAVING bool_and(after_per_user_limit IS NOT NULL)
), held AS (
    SELECT item_id, user_id, quantity FROM orders
    WHERE status = 'confirmed' AND item_id IN (SELECT item_id FROM limited)
    UNION ALL
    SELECT item_id, user_id, quantity FROM failed_order_events f
    WHERE consumer = 'orders' AND event_type = 'order.accepted' AND status IN ('retrying', 'dead')
      AND item_id IN (SELECT item_id FROM limited)
      AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = f.order_id)
)
SELECT format('item %s: user %s holds %s units, and the limit was never above %s (I6)',
              item_id, user_id, sum(quantity), most)
FROM held JOIN limited USING (item_id)
GROUP BY item_id, user_id, most HAVING sum(quantity) > most ORDER BY 1 LIMIT 100)";

constexpr std::string_view select_both = R"(
SELECT format('order %s is stored as %s, and was given up as a dead letter (I8)', o.order_id,
              o.status)
FROM failed_order_events f JOIN orders o ON o.order_id = f.order_id
WHERE f.consumer = 'orders' AND f.event_type = 'order.accepted' AND f.status = 'discarded'
ORDER BY 1 LIMIT 100)";

constexpr std::string_view select_unaudited = R"(
SELECT format('dead letter %s was given up without an audit row (I10)', f.id)
FROM failed_order_events f
WHERE f.status = 'discarded' AND NOT EXISTS (
    SELECT FROM audit_log a WHERE (a.what = 'discard' AND a.subject = 'dead letter ' || f.id)
        OR (a.what = 'order.failed' AND a.subject = f.order_id::text))
UNION ALL
SELECT format('order %s failed without an audit row (I10)', o.order_id)
FROM orders o
WHERE o.status = 'failed' AND NOT EXISTS (
    SELECT FROM audit_log a WHERE a.what = 'order.failed' AND a.subject = o.order_id::text)
ORDER BY 1 LIMIT 100)";

// What keeps a key and an order from being stored twice.
constexpr std::string_view select_broken_indexes = R"(
SELECT format('the index %s is missing or not valid: nothing keeps an order or a key from being '
              'stored twice (I4)', name)
FROM unnest(ARRAY['orders_pkey', 'orders_key', 'failed_order_events_consumer_event_id_key'])
    AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_index x WHERE x.indexrelid = to_regclass(name) AND x.indisunique
                  AND x.indisvalid)
ORDER BY 1)";

constexpr std::string_view select_twice = R"(
SELECT format('%s orders have the same key as order %s (I4)', count(*) - 1, min(order_id::text))
FROM orders WHERE key IS NOT NULL GROUP BY shard, key HAVING count(*) > 1 ORDER BY 1 LIMIT 100)";

constexpr std::string_view select_taken_between = R"(
SELECT w.item_id, coalesce(sum(o.quantity), 0)::bigint
FROM unnest($1, $2, $3) AS w (item_id, after, through)
JOIN orders o ON o.item_id = w.item_id AND o.order_id >= $4 AND o.sequence > w.after
    AND o.sequence <= w.through AND NOT o.given_back
GROUP BY w.item_id)";

/// Counts of one item beside each other.
struct Compared {
    std::string_view what;
    std::int64_t found;
    std::int64_t expected;
    std::string_view invariant;
};

void compare_figures(ports::AuditReport& report, const Rows& rows, std::size_t row) {
    const auto figure = [&](Column column) { return rows.integer(row, column); };
    const std::array compared{
        Compared{"units sold", figure(sold), figure(live), "I2"},
        Compared{"units on their way back", figure(compensating), figure(failing), "I2"},
        Compared{"places in line", figure(highest), figure(last), "I7"},
    };
    for (const Compared& each : compared) {
        // Parked orders have their place, and no part in the row.
        const bool is_place = each.invariant == "I7";
        if (is_place ? each.found <= each.expected : each.found == each.expected) continue;
        report.find(fmt::format(
            "item {}: its row counts {} {}, its orders {} ({})",
            rows.text(row, item),
            each.found,
            each.what,
            each.expected,
            each.invariant
        ));
    }
}

void compare_totals(ports::AuditReport& report, const Rows& rows, std::size_t row) {
    const auto figure = [&](Column column) { return rows.integer(row, column); };
    const std::string_view id = rows.text(row, item);
    const auto total = figure(initial) + figure(restocked);
    const auto taken = figure(live) + figure(failing) + figure(parked);
    if (taken > total) {
        report.find(fmt::format("item {} is oversold: {} taken of {} (I1)", id, taken, total));
    }
    if (figure(movement) == 0) return;  // its orders made the row: nobody set it
    if (!rows.boolean(row, moved)) {
        return report.find(fmt::format("item {}: its last stock movement is missing (I2)", id));
    }
    if (figure(initial) != figure(after_initial) || figure(restocked) != figure(after_restocked)) {
        report.find(fmt::format("item {} differs from its last stock movement (I2)", id));
    }
    if (figure(after_drift) != 0) {
        report.find(fmt::format("item {}: its last stock movement does not add up (I2)", id));
    }
}

}  // namespace

Audit::Audit(ConnectionOptions options) : connection_(std::move(options)) {}

Audit::Looked<Rows> Audit::read(
    std::string_view sql, std::string_view what, std::initializer_list<Param> params
) {
    auto rows = connection_.read(sql, params);
    if (!rows) return std::unexpected(told(rows.error(), what));
    return std::move(*rows);
}

Audit::Looked<unsigned> Audit::shards() {
    auto there = read("SELECT to_regclass('settings') IS NOT NULL", "connect");
    if (!there) return std::unexpected(std::move(there.error()));
    const auto rows =
        there->boolean(0, 0)
            ? read("SELECT value FROM settings WHERE name = 'shards'", "read settings")
            : Looked<Rows>{Rows{}};
    if (!rows) return std::unexpected(rows.error());
    unsigned count = 0;
    if (!rows->empty()) {
        const std::string_view text = rows->text(0, 0);
        std::from_chars(text.data(), text.data() + text.size(), count);
    }
    if (count > 0) return count;
    return std::unexpected(
        "PostgreSQL: the database of postgres.url has no tables of Firstcome: correct its name, or "
        "start a node, which makes them"
    );
}

Audit::Looked<void> Audit::check(ports::AuditReport& report) {
    const auto transaction = Transaction::begin(connection_);
    if (!transaction) return std::unexpected(told(transaction.error(), "connect"));
    auto frozen = read("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin");
    if (!frozen) return std::unexpected(std::move(frozen.error()));
    if (auto checked = check_items(report); !checked) return checked;
    return check_rest(report);
}

Audit::Looked<void> Audit::check_items(ports::AuditReport& report) {
    const auto rows = read(select_items, "count the orders");
    if (!rows) return std::unexpected(rows.error());
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const std::string_view id = rows->text(row, item);
        const auto counted = rows->integer(row, orders);
        report.orders += static_cast<std::uint64_t>(counted);
        const auto valid = domain::ItemId::from(id);
        if (!valid) {
            report.find(fmt::format("an item has no valid id: {}", id));
            continue;
        }
        report.items.push_back(
            {.item = *valid,
             .total = rows->integer(row, initial) + rows->integer(row, restocked),
             .sold = rows->integer(row, live),
             .orders = static_cast<std::uint64_t>(counted),
             .released = static_cast<std::uint64_t>(rows->integer(row, released))}
        );
        if (!rows->boolean(row, known)) {
            report.find(fmt::format("item {} has {} orders and no row (I2)", id, counted));
            continue;
        }
        compare_figures(report, *rows, row);
        compare_totals(report, *rows, row);
        if (counted == rows->integer(row, last) && counted == rows->integer(row, places)) continue;
        if (auto checked = check_places(report, id); !checked) return checked;
    }
    return {};
}

Audit::Looked<void> Audit::check_places(ports::AuditReport& report, std::string_view id) {
    const auto rows = read(select_gaps, "look for gaps", {id});
    if (!rows) return std::unexpected(rows.error());
    for (std::size_t row = 0; row < rows->size(); ++row) {
        report.find(fmt::format(
            "item {}: sequence {} follows {} (order {}) (I7)",
            id,
            rows->integer(row, 0),
            rows->integer(row, 1),
            rows->text(row, 2)
        ));
    }
    return {};
}

Audit::Looked<void> Audit::check_rest(ports::AuditReport& report) {
    const auto indexes = read(select_broken_indexes, "look at the indexes");
    if (!indexes) return std::unexpected(indexes.error());
    std::vector<std::string_view> all{select_over_limit, select_both, select_unaudited};
    for (std::size_t row = 0; row < indexes->size(); ++row) {
        report.find(std::string(indexes->text(row, 0)));
    }
    if (!indexes->empty()) all.push_back(select_twice);
    for (const std::string_view sql : all) {
        const auto rows = read(sql, "look for what is broken");
        if (!rows) return std::unexpected(rows.error());
        for (std::size_t row = 0; row < rows->size(); ++row) {
            report.find(std::string(rows->text(row, 0)));
        }
    }
    return {};
}

Audit::Looked<std::map<domain::ItemId, domain::Units>> Audit::taken_between(
    std::span<const OrdersBetween> wanted, domain::WallTime since
) {
    std::vector<std::string_view> ids;
    std::vector<std::int64_t> after;
    std::vector<std::int64_t> through;
    for (const OrdersBetween& each : wanted) {
        ids.push_back(each.item.text());
        after.push_back(static_cast<std::int64_t>(each.after));
        through.push_back(static_cast<std::int64_t>(each.through));
    }
    const domain::OrderId lowest{
        .high = static_cast<std::uint64_t>(since.time_since_epoch().count()) << 16U, .low = 0};
    const auto rows =
        read(select_taken_between, "count the newest orders", {ids, after, through, lowest});
    if (!rows) return std::unexpected(rows.error());
    std::map<domain::ItemId, domain::Units> units;
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const auto id = domain::ItemId::from(rows->text(row, 0));
        if (id) units[*id] = rows->integer(row, 1);
    }
    return units;
}

}  // namespace firstcome::postgres
