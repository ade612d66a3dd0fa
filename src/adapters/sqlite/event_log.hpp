// src/adapters/sqlite/event_log.hpp - one lane's file as a log of what happened
#pragma once

#include "adapters/sqlite/database.hpp"
#include "adapters/sqlite/order_rows.hpp"
#include "adapters/sqlite/stock_watch.hpp"
#include "base/hash.hpp"
#include "domain/order.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace firstcome::sqlite {

struct LoggedOrder {
    domain::Order order;  ///< as its buyer was told
    std::optional<domain::KeyHash> key;
    domain::TraceContext trace;
};

struct LoggedRelease {
    domain::Order order;
    domain::WallTime released_at;
    domain::TraceContext trace;
};

/// Reads what is committed, through a connection of its own, in short transactions: the lane never
/// waits for it.
///
/// Thread   one at a time
class EventLog {
public:
    /// `told`: whether a release is settled already, by the order's high half.
    using Told = std::function<bool(std::uint64_t)>;

    /// `hash` outlives the log.
    [[nodiscard]] static std::expected<EventLog, SqliteError> open(
        const std::string& file, const base::KeyedHash& hash
    );

    /// Whether anything was committed since the last time this was asked.
    ///
    /// Cost     a few microseconds
    [[nodiscard]] std::expected<bool, SqliteError> changed();

    /// What one transaction saw.
    struct Seen {
        std::vector<LoggedOrder> orders;  ///< in order of arrival
        bool whole = false;               ///< there are none after these
    };

    /// Up to `max` orders after this one; brings `releases` and `totals` up to the same moment.
    [[nodiscard]] std::expected<Seen, SqliteError> read(
        std::uint64_t after, std::size_t max, const Told& told
    );

    /// Not settled yet, oldest first.
    [[nodiscard]] const std::deque<LoggedRelease>& releases() const { return releases_; }

    void settle(std::uint64_t released_order);

    [[nodiscard]] const StockTotals& totals() const { return totals_; }

    /// Orders after this one, as of the last `read`. Each order is counted once.
    [[nodiscard]] std::expected<std::uint64_t, SqliteError> count_new();

    /// Counting begins after this order.
    void count_from(std::uint64_t order_high) { counted_to_ = order_high; }

    /// The end of the log as it is now.
    struct End {
        std::uint64_t order_high = 0;
        std::unordered_map<domain::ItemId, domain::Units> taken;  ///< by live orders
        std::vector<std::uint64_t> releases;
    };

    /// Reads all orders: about a third of a second for a million.
    [[nodiscard]] std::expected<End, SqliteError> end();
    [[nodiscard]] std::expected<std::uint64_t, SqliteError> last_order();

private:
    struct Statements {
        Statement data_version;
        Statement orders;
        Statement release_count;
        Statement releases;
        Statement movements;
        Statement count;
    };

    EventLog(Database database, Statements statements, const base::KeyedHash& hash)
        : database_(std::move(database)), statements_(std::move(statements)), hash_(&hash) {}

    [[nodiscard]] std::expected<void, SqliteError> read_movements();
    [[nodiscard]] std::expected<void, SqliteError> read_releases(const Told& told);
    [[nodiscard]] std::expected<Seen, SqliteError> read_orders(
        std::uint64_t after, std::size_t max
    );
    [[nodiscard]] std::expected<LoggedOrder, SqliteError> order_of(const Statement& row) const;
    [[nodiscard]] std::expected<void, SqliteError> count_taken(End& end);

    Database database_;
    Statements statements_;
    const base::KeyedHash* hash_;  // outlives
    std::optional<std::int64_t> version_;
    std::int64_t last_movement_ = 0;
    std::int64_t release_count_ = 0;
    std::uint64_t counted_to_ = 0;
    StockTotals totals_;
    std::deque<LoggedRelease> releases_;
};

}  // namespace firstcome::sqlite
