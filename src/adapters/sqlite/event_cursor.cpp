// src/adapters/sqlite/event_cursor.cpp - how far the events were acknowledged
#include "adapters/sqlite/event_cursor.hpp"

#include <fmt/format.h>

#include <sys/stat.h>
#include <utility>

namespace firstcome::sqlite {

namespace {

// place: a lane's EventPlace. item: a StockWatch. told: releases whose event is acknowledged; they
// have no order of their own to go on from, so each is kept.
constexpr const char* schema = R"(
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS places (
        lane       INTEGER PRIMARY KEY,
        order_high INTEGER NOT NULL,
        done       INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS items (
        item_id TEXT PRIMARY KEY,
        taken   INTEGER NOT NULL,
        low     INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS told (
        lane       INTEGER NOT NULL,
        order_high INTEGER NOT NULL,
        PRIMARY KEY (lane, order_high)
    ) WITHOUT ROWID;
    COMMIT;
)";

using Done = std::expected<void, SqliteError>;

template <typename Take>
Done each_row(Database& database, std::string_view sql, Take take) {
    auto statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    while (true) {
        auto there = statement->step();
        if (!there) return std::unexpected(there.error());
        if (!*there) return {};
        take(*statement);
    }
}

}  // namespace

std::string EventCursor::file_in(const std::filesystem::path& data_dir) {
    return (data_dir / "event_outbox.sqlite").string();
}

std::expected<EventCursor, std::string> EventCursor::open(const std::filesystem::path& data_dir) {
    const std::string file = file_in(data_dir);
    auto database = Database::open(file, Database::Mode::create);
    if (!database) return std::unexpected(fmt::format("{}: {}", file, database.error().text));
    ::chmod(file.c_str(), 0600);
    EventCursor cursor{std::move(*database)};
    auto done = cursor.database_.execute(schema);
    if (done) done = cursor.load();
    if (done) return cursor;
    if (done.error().kind == SqliteError::Kind::corrupt) {
        return std::unexpected(fmt::format(
            "{} is damaged ({}). It holds no orders, only how far their events were delivered:"
            " remove it and its -wal and -shm, and events go on with the next order",
            file,
            done.error().text
        ));
    }
    return std::unexpected(fmt::format("{}: {}", file, done.error().text));
}

Done EventCursor::load() {
    auto done = each_row(
        database_,
        "SELECT lane, order_high, done FROM places",
        [this](const Statement& row) {
            places_[static_cast<std::size_t>(row.integer(0))] = {
                .order_high = static_cast<std::uint64_t>(row.integer(1)),
                .done = static_cast<unsigned>(row.integer(2))};
        }
    );
    if (!done) return done;
    done = each_row(database_, "SELECT item_id, taken, low FROM items", [this](const auto& row) {
        const auto item = domain::ItemId::from(row.text(0));
        if (item) watches_[*item] = {.taken = row.integer(1), .low = row.integer(2) != 0};
    });
    if (!done) return done;
    return each_row(database_, "SELECT lane, order_high FROM told", [this](const auto& row) {
        told_[static_cast<std::size_t>(row.integer(0))].insert(
            static_cast<std::uint64_t>(row.integer(1))
        );
    });
}

std::optional<EventPlace> EventCursor::place(std::size_t lane) const {
    const auto found = places_.find(lane);
    if (found == places_.end()) return std::nullopt;
    return found->second;
}

StockWatch EventCursor::watch(const domain::ItemId& item) const {
    const auto found = watches_.find(item);
    return found == watches_.end() ? StockWatch{} : found->second;
}

bool EventCursor::is_told(std::size_t lane, std::uint64_t order_high) const {
    const auto found = told_.find(lane);
    return found != told_.end() && found->second.contains(order_high);
}

Done EventCursor::save(const EventProgress& progress) {
    if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
    auto done = write(progress);
    if (done) done = database_.execute("COMMIT");
    if (!done) {
        if (database_.in_transaction()) (void)database_.execute("ROLLBACK");
        return done;
    }
    for (const auto& [lane, place] : progress.places) places_[lane] = place;
    for (const auto& [item, watch] : progress.watches) watches_[item] = watch;
    for (const auto& [lane, order] : progress.releases) told_[lane].insert(order);
    return {};
}

Done EventCursor::write(const EventProgress& progress) {
    auto place = database_.prepare("REPLACE INTO places (lane, order_high, done) VALUES (?, ?, ?)");
    if (!place) return std::unexpected(place.error());
    for (const auto& [lane, to] : progress.places) {
        place->bind(0, static_cast<std::int64_t>(lane));
        place->bind(1, static_cast<std::int64_t>(to.order_high));
        place->bind(2, std::int64_t{to.done});
        if (auto done = place->run(); !done) return done;
    }
    auto item = database_.prepare("REPLACE INTO items (item_id, taken, low) VALUES (?, ?, ?)");
    if (!item) return std::unexpected(item.error());
    for (const auto& [id, watch] : progress.watches) {
        item->bind(0, id.text());
        item->bind(1, watch.taken);
        item->bind(2, std::int64_t{watch.low});
        if (auto done = item->run(); !done) return done;
    }
    auto told = database_.prepare("INSERT OR IGNORE INTO told (lane, order_high) VALUES (?, ?)");
    if (!told) return std::unexpected(told.error());
    for (const auto& [lane, order] : progress.releases) {
        told->bind(0, static_cast<std::int64_t>(lane));
        told->bind(1, static_cast<std::int64_t>(order));
        if (auto done = told->run(); !done) return done;
    }
    return {};
}

}  // namespace firstcome::sqlite
