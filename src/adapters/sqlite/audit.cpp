// src/adapters/sqlite/audit.cpp - checks a data directory against the invariants
#include "adapters/sqlite/audit.hpp"

#include "adapters/sqlite/data_dir.hpp"
#include "adapters/sqlite/database.hpp"
#include "adapters/sqlite/order_rows.hpp"
#include "base/hash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace firstcome::sqlite {

namespace {

constexpr std::uint64_t progress_every = 1'000'000;  // orders

struct ItemState {
    AuditedItem audited;
    domain::Sequence last_sequence = 0;
};

/// One lane's file, read from its first row to its last.
class LaneAudit {
public:
    LaneAudit(std::string file, Database database, const base::KeyedHash& hash, AuditReport& report)
        : file_(std::move(file)), database_(std::move(database)), hash_(hash), report_(report) {}

    [[nodiscard]] std::expected<void, SqliteError> run(
        const std::function<void(std::uint64_t)>& progress
    );

private:
    using Done = std::expected<void, SqliteError>;

    void find(std::string what);
    [[nodiscard]] Done each(std::string_view sql, const std::function<void(const Statement&)>& row);
    [[nodiscard]] Done check_structure();
    [[nodiscard]] Done read_items();
    [[nodiscard]] Done read_releases();
    [[nodiscard]] Done read_orders(const std::function<void(std::uint64_t)>& progress);
    void check_order(const Statement& row);
    [[nodiscard]] Done check_movements();
    void conclude();

    std::string file_;
    Database database_;
    const base::KeyedHash& hash_;  // outlives
    AuditReport& report_;          // outlives
    std::map<std::int64_t, ItemState> items_;
    std::unordered_set<std::uint64_t> released_;
    std::unordered_map<std::uint64_t, std::uint64_t> newest_;  // user hash -> order
    std::unordered_map<std::string, std::int64_t> keys_;       // key -> when accepted, ms
};

void LaneAudit::find(std::string what) {
    report_.find(file_ + ": " + std::move(what));
}

std::expected<void, SqliteError> LaneAudit::each(
    std::string_view sql, const std::function<void(const Statement&)>& row
) {
    auto statement = database_.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    while (true) {
        auto there = statement->step();
        if (!there) return std::unexpected(there.error());
        if (!*there) return {};
        row(*statement);
    }
}

std::expected<void, SqliteError> LaneAudit::run(const std::function<void(std::uint64_t)>& progress
) {
    // One snapshot, so that a server that goes on selling meanwhile is seen at one moment.
    if (auto begun = database_.execute("BEGIN"); !begun) return begun;
    if (auto done = check_structure(); !done) return done;
    if (auto done = read_items(); !done) return done;
    if (auto done = read_releases(); !done) return done;
    if (auto done = read_orders(progress); !done) return done;
    if (auto done = check_movements(); !done) return done;
    conclude();
    return {};
}

std::expected<void, SqliteError> LaneAudit::check_structure() {
    return each("PRAGMA quick_check(20)", [this](const Statement& row) {
        if (row.text(0) != "ok") find(fmt::format("structure: {}", row.text(0)));
    });
}

std::expected<void, SqliteError> LaneAudit::read_items() {
    const std::string_view sql = "SELECT item_no, item_id, initial + restocked FROM items";
    return each(sql, [this](const Statement& row) {
        const auto item = domain::ItemId::from(row.text(1));
        if (!item) return find(fmt::format("item number {} has no valid id", row.integer(0)));
        ItemState state;
        state.audited.item = *item;
        state.audited.total = row.integer(2);
        items_.emplace(row.integer(0), std::move(state));
    });
}

std::expected<void, SqliteError> LaneAudit::read_releases() {
    return each("SELECT order_id FROM releases", [this](const Statement& row) {
        released_.insert(static_cast<std::uint64_t>(row.integer(0)));
    });
}

std::expected<void, SqliteError> LaneAudit::read_orders(
    const std::function<void(std::uint64_t)>& progress
) {
    const auto sql = fmt::format("SELECT {} FROM orders o ORDER BY o.id", order_columns);
    return each(sql, [&](const Statement& row) {
        check_order(row);
        if (++report_.orders % progress_every == 0) progress(report_.orders);
    });
}

void LaneAudit::check_order(const Statement& columns) {
    const auto row = read_row(columns, hash_);
    const auto high = static_cast<std::uint64_t>(columns.integer(0));
    if (!row) return find(fmt::format("the row of order {:016x} is changed", high));
    const auto found = items_.find(row->item_no);
    if (found == items_.end()) return find(fmt::format("order {} has no item", row->id.text()));
    ItemState& item = found->second;
    if (row->sequence != item.last_sequence + 1) {
        find(fmt::format(
            "item {}: sequence {} follows {} (order {})",
            item.audited.item.text(),
            row->sequence,
            item.last_sequence,
            row->id.text()
        ));
    }
    item.last_sequence = row->sequence;
    ++item.audited.orders;

    auto& newest = newest_[hash_.hash64(row->user.text())];
    if (row->previous != newest) {
        find(fmt::format("the chain of orders of one user breaks before {}", row->id.text()));
    }
    newest = row->id.high;

    if (row->key) {
        const auto bytes = bytes_of(*row->key);
        const std::string key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        const std::int64_t at = row->accepted_at.time_since_epoch().count();
        constexpr std::int64_t shortest_lifetime = 3'600'000;  // ms, of idempotency.ttl
        const auto [known, is_new] = keys_.try_emplace(key, at);
        if (!is_new && at - known->second < shortest_lifetime) {
            find(fmt::format("order {} is a second one of its key", row->id.text()));
        }
        known->second = at;
    }
    if (released_.erase(row->id.high) > 0) {
        ++item.audited.released;
        return;
    }
    item.audited.sold += row->quantity;
}

// The last movement of an item says what it was right after; the items table must agree.
std::expected<void, SqliteError> LaneAudit::check_movements() {
    const std::string_view sql =
        "SELECT i.item_id, i.initial, i.restocked, m.after_initial, m.after_restocked,"
        " m.after_initial + m.after_restocked - m.after_remaining - m.after_sold"
        " - m.after_compensating, i.item_no, m.after_orders"
        " FROM items i LEFT JOIN stock_movements m ON m.id ="
        " (SELECT max(id) FROM stock_movements WHERE item_id = i.item_id)";
    return each(sql, [this](const Statement& row) {
        if (row.is_null(3)) {
            return find(fmt::format("item {} has no stock movement", row.text(0)));
        }
        if (row.integer(1) != row.integer(3) || row.integer(2) != row.integer(4)) {
            find(fmt::format("item {} differs from its last stock movement", row.text(0)));
        }
        if (row.integer(5) != 0) {
            find(fmt::format("item {}: its last stock movement does not add up", row.text(0)));
        }
        const auto item = items_.find(row.integer(6));
        const auto counted = static_cast<domain::Sequence>(row.integer(7));
        if (item != items_.end() && counted > item->second.last_sequence) {
            find(fmt::format(
                "item {} ends with sequence {}, but its last stock movement counted {} orders",
                row.text(0),
                item->second.last_sequence,
                counted
            ));
        }
    });
}

void LaneAudit::conclude() {
    for (const std::uint64_t order : released_) {
        find(fmt::format("a release of order {:016x}, which is not there", order));
    }
    for (auto& [number, item] : items_) {
        if (item.audited.sold > item.audited.total) {
            find(fmt::format(
                "item {} is oversold: {} sold of {}",
                item.audited.item.text(),
                item.audited.sold,
                item.audited.total
            ));
        }
        report_.items.push_back(item.audited);
    }
}

}  // namespace

std::expected<AuditReport, std::string> audit(
    const std::filesystem::path& data_dir, const std::function<void(std::uint64_t orders)>& progress
) {
    auto dir = DataDir::look_at(data_dir);
    if (!dir) return std::unexpected(dir.error());
    const base::KeyedHash hash{dir->secret()};
    AuditReport report;
    for (std::size_t lane = 0; lane < dir->lanes(); ++lane) {
        const std::string file = dir->lane_file(lane);
        auto database = Database::open(file, Database::Mode::read);
        if (!database) return std::unexpected(file + ": " + database.error().text);
        LaneAudit lane_audit{file, std::move(*database), hash, report};
        const auto done = lane_audit.run(progress);
        if (done) continue;
        if (done.error().kind != SqliteError::Kind::corrupt) {
            return std::unexpected(file + ": " + done.error().text);
        }
        report.findings.push_back(file + ": cannot be read on: " + done.error().text);
    }
    std::ranges::sort(report.items, {}, &AuditedItem::item);
    return report;
}

}  // namespace firstcome::sqlite
