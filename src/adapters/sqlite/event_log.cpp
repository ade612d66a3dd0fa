// src/adapters/sqlite/event_log.cpp - one lane's file as a log of what happened
#include "adapters/sqlite/event_log.hpp"

#include "adapters/sqlite/trace_bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace firstcome::sqlite {

using domain::OrderStatus;

namespace {

using Done = std::expected<void, SqliteError>;

template <typename Take>
Done each_row(Statement& statement, Take take) {
    while (true) {
        auto there = statement.step();
        if (!there) return std::unexpected(there.error());
        if (!*there) return {};
        Done taken = take(statement);
        if (taken) continue;
        statement.reset();
        return taken;
    }
}

SqliteError damaged(std::string what) {
    return {.kind = SqliteError::Kind::corrupt, .text = std::move(what)};
}

}  // namespace

std::expected<EventLog, SqliteError> EventLog::open(
    const std::string& file, const base::KeyedHash& hash
) {
    auto database = Database::open(file, Database::Mode::read);
    if (!database) return std::unexpected(database.error());
    const std::string texts[] = {
        "PRAGMA data_version",
        fmt::format(
            "SELECT {}, i.item_id, o.trace FROM orders o JOIN items i ON i.item_no = o.item"
            " WHERE o.id > ? ORDER BY o.id LIMIT ?",
            order_columns
        ),
        "SELECT count(*) FROM releases",
        fmt::format(
            "SELECT {}, i.item_id, o.trace, r.released_at FROM releases r"
            " JOIN orders o ON o.id = r.order_id"
            " JOIN items i ON i.item_no = o.item ORDER BY r.released_at, r.order_id",
            order_columns
        ),
        "SELECT id, item_id, after_orders, after_initial + after_restocked FROM stock_movements"
        " WHERE id > ? ORDER BY id",
        "SELECT count(*), max(id) FROM orders WHERE id > ?",
    };
    std::vector<Statement> made;
    for (const std::string& text : texts) {
        auto statement = database->prepare(text);
        if (!statement) return std::unexpected(statement.error());
        made.push_back(std::move(*statement));
    }
    return EventLog{
        std::move(*database),
        Statements{
            .data_version = std::move(made[0]),
            .orders = std::move(made[1]),
            .release_count = std::move(made[2]),
            .releases = std::move(made[3]),
            .movements = std::move(made[4]),
            .count = std::move(made[5]),
        },
        hash};
}

std::expected<bool, SqliteError> EventLog::changed() {
    Statement& statement = statements_.data_version;
    auto there = statement.step();
    if (!there) return std::unexpected(there.error());
    const std::int64_t version = statement.integer(0);
    statement.reset();
    return std::exchange(version_, version) != version;
}

std::expected<EventLog::Seen, SqliteError> EventLog::read(
    std::uint64_t after, std::size_t max, const Told& told
) {
    if (auto begun = database_.execute("BEGIN"); !begun) return std::unexpected(begun.error());
    std::expected<Seen, SqliteError> seen;
    auto done = read_movements();
    if (done) done = read_releases(told);
    if (done) {
        seen = read_orders(after, max);
    } else {
        seen = std::unexpected(done.error());
    }
    if (auto ended = database_.execute("COMMIT"); !ended && seen) {
        return std::unexpected(ended.error());
    }
    return seen;
}

Done EventLog::read_movements() {
    Statement& movements = statements_.movements;
    movements.bind(0, last_movement_);
    return each_row(movements, [this](const Statement& row) -> Done {
        const auto item = domain::ItemId::from(row.text(1));
        if (!item) return std::unexpected(damaged("a stock movement is not whole"));
        const auto after_orders = static_cast<domain::Sequence>(row.integer(2));
        totals_.change(*item, after_orders, row.integer(3));
        last_movement_ = row.integer(0);
        return {};
    });
}

// Releases have no order of their own in the file and are few: when there are more than before, all
// are looked at.
Done EventLog::read_releases(const Told& told) {
    std::int64_t count = 0;
    auto done = each_row(statements_.release_count, [&count](const Statement& row) -> Done {
        count = row.integer(0);
        return {};
    });
    if (!done || count == release_count_) return done;
    std::deque<LoggedRelease> found;
    done = each_row(statements_.releases, [&](const Statement& row) -> Done {
        if (told(static_cast<std::uint64_t>(row.integer(0)))) return {};
        auto logged = order_of(row);
        if (!logged) return std::unexpected(logged.error());
        logged->order.status = OrderStatus::failed;
        const domain::WallTime at{std::chrono::milliseconds{row.integer(12)}};
        found.push_back({.order = logged->order, .released_at = at, .trace = logged->trace});
        return {};
    });
    if (!done) return done;
    releases_ = std::move(found);
    release_count_ = count;
    return {};
}

std::expected<EventLog::Seen, SqliteError> EventLog::read_orders(
    std::uint64_t after, std::size_t max
) {
    Statement& orders = statements_.orders;
    orders.bind(0, static_cast<std::int64_t>(after));
    orders.bind(1, static_cast<std::int64_t>(max));
    Seen seen;
    auto done = each_row(orders, [&](const Statement& row) -> Done {
        auto logged = order_of(row);
        if (!logged) return std::unexpected(logged.error());
        seen.orders.push_back(*std::move(logged));
        return {};
    });
    if (!done) return std::unexpected(done.error());
    seen.whole = seen.orders.size() < max;
    return seen;
}

std::expected<LoggedOrder, SqliteError> EventLog::order_of(const Statement& row) const {
    const auto read = read_row(row, *hash_);
    const auto item = domain::ItemId::from(row.text(10));
    if (!read || !item) return std::unexpected(damaged("the row of an order is damaged"));
    return LoggedOrder{
        .order =
            {
                .id = read->id,
                .user = read->user,
                .item = *item,
                .quantity = read->quantity,
                .sequence = read->sequence,
                .accepted_at = read->accepted_at,
                .status = OrderStatus::confirmed,
                .durability = domain::Durability::disk,
            },
        .key = read->key,
        .trace = row.is_null(11) ? domain::TraceContext{}
                                 : trace_from(row.blob(11)).value_or(domain::TraceContext{}),
    };
}

void EventLog::settle(std::uint64_t released_order) {
    std::erase_if(releases_, [released_order](const LoggedRelease& release) {
        return release.order.id.high == released_order;
    });
}

std::expected<std::uint64_t, SqliteError> EventLog::count_new() {
    Statement& count = statements_.count;
    count.bind(0, static_cast<std::int64_t>(counted_to_));
    std::uint64_t orders = 0;
    auto done = each_row(count, [&](const Statement& row) -> Done {
        orders = static_cast<std::uint64_t>(row.integer(0));
        if (orders > 0) counted_to_ = static_cast<std::uint64_t>(row.integer(1));
        return {};
    });
    if (!done) return std::unexpected(done.error());
    return orders;
}

std::expected<std::uint64_t, SqliteError> EventLog::last_order() {
    auto statement = database_.prepare("SELECT coalesce(max(id), 0) FROM orders");
    if (!statement) return std::unexpected(statement.error());
    auto there = statement->step();
    if (!there) return std::unexpected(there.error());
    return static_cast<std::uint64_t>(statement->integer(0));
}

std::expected<EventLog::End, SqliteError> EventLog::end() {
    if (auto begun = database_.execute("BEGIN"); !begun) return std::unexpected(begun.error());
    End end;
    auto done = read_movements();
    if (done) done = count_taken(end);
    auto ended = database_.execute("COMMIT");
    if (done) done = ended;
    if (!done) return std::unexpected(done.error());
    return end;
}

Done EventLog::count_taken(End& end) {
    auto last = last_order();
    if (!last) return std::unexpected(last.error());
    end.order_high = *last;
    auto items = database_.prepare("SELECT item_id, 0 FROM items");
    if (!items) return std::unexpected(items.error());
    auto orders = database_.prepare(
        "SELECT i.item_id, sum(o.quantity) FROM orders o JOIN items i ON i.item_no = o.item"
        " GROUP BY o.item"
    );
    if (!orders) return std::unexpected(orders.error());
    const auto take_units = [&end](const Statement& row) -> Done {
        const auto item = domain::ItemId::from(row.text(0));
        if (!item) return std::unexpected(damaged("an item is not whole"));
        end.taken[*item] = row.integer(1);
        return {};
    };
    auto done = each_row(*items, take_units);
    if (done) done = each_row(*orders, take_units);
    if (!done) return done;
    auto released = database_.prepare(
        "SELECT r.order_id, i.item_id, o.quantity FROM releases r JOIN orders o ON o.id ="
        " r.order_id JOIN items i ON i.item_no = o.item"
    );
    if (!released) return std::unexpected(released.error());
    return each_row(*released, [&end](const Statement& row) -> Done {
        end.releases.push_back(static_cast<std::uint64_t>(row.integer(0)));
        const auto item = domain::ItemId::from(row.text(1));
        if (item) end.taken[*item] -= row.integer(2);
        return {};
    });
}

}  // namespace firstcome::sqlite
