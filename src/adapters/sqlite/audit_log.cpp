// src/adapters/sqlite/audit_log.cpp - the audit log of the embedded mode: one file, and the lanes'
#include "adapters/sqlite/audit_log.hpp"

#include "adapters/sqlite/audit_log.sql.hpp"
#include "adapters/sqlite/query.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <sys/stat.h>

namespace firstcome::sqlite {

using ports::AuditCursor;
using ports::AuditEntry;
using ports::AuditError;
using ports::AuditPage;

namespace {

constexpr int schema_version = 1;
constexpr std::int64_t own_source = 0;
constexpr std::int64_t first_lane_source = 1;

const auto ignore_rows = [](const Statement&) {};

// ?1 when, ?2 which number at that time is not reached yet, ?3 how many.
constexpr std::string_view own_sql =
    "SELECT id, at, who, what, subject, reason, trace_id, before, after FROM audit_log "
    "WHERE (at, id) < (?1, ?2) ORDER BY at DESC, id DESC LIMIT ?3";

constexpr std::string_view stock_sql =
    "SELECT id, at, who, 'stock.' || operation, item_id, reason, trace_id, "
    "json_object('total', before_total, "
    "'opensAt', strftime('%Y-%m-%dT%H:%M:%fZ', before_opens_at / 1000.0, 'unixepoch'), "
    "'closesAt', strftime('%Y-%m-%dT%H:%M:%fZ', before_closes_at / 1000.0, 'unixepoch'), "
    "'perUserLimit', before_per_user_limit), "
    "json_object('total', after_initial + after_restocked, 'remaining', after_remaining, "
    "'sold', after_sold, "
    "'opensAt', strftime('%Y-%m-%dT%H:%M:%fZ', after_opens_at / 1000.0, 'unixepoch'), "
    "'closesAt', strftime('%Y-%m-%dT%H:%M:%fZ', after_closes_at / 1000.0, 'unixepoch'), "
    "'perUserLimit', after_per_user_limit) "
    "FROM stock_movements WHERE (at, id) < (?1, ?2) ORDER BY at DESC, id DESC LIMIT ?3";

std::expected<void, SqliteError> make_tables(Database& database) {
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
    std::int64_t version = 0;
    const auto read = [&](const Statement& row) { version = row.integer(0); };
    auto done = query(database, "PRAGMA user_version", read);
    if (done && version == 0) {
        done = database.execute(std::string(audit_log_sql));
        if (done) done = database.execute(fmt::format("PRAGMA user_version = {}", schema_version));
    } else if (done && version != schema_version) {
        done = std::unexpected(SqliteError{
            .text = fmt::format(
                "it has schema version {}, this program knows {}: use the version of firstcome that"
                " wrote it",
                version,
                schema_version
            )});
    }
    if (done) done = database.execute("COMMIT");
    if (!done && database.in_transaction()) static_cast<void>(database.execute("ROLLBACK"));
    return done;
}

std::int64_t milliseconds(base::WallTime time) {
    return time.time_since_epoch().count();
}

AuditError report(const SqliteError& error, std::string_view attempted) {
    log::error("audit log: cannot " + std::string(attempted), {{"error", error.text}});
    return AuditError::unavailable;
}

/// How far down a source begins: entries of the same time in sources before it are still to come,
/// those in sources behind it are all told.
std::int64_t number_below(const AuditCursor& below, std::int64_t source) {
    if (source == below.source) return below.number;
    return source < below.source ? std::numeric_limits<std::int64_t>::max() : 0;
}

}  // namespace

std::expected<std::unique_ptr<AuditLog>, std::string> AuditLog::open(const DataDir& dir) {
    const std::string file = (dir.path() / "audit.sqlite").string();
    auto own = Database::open(file, Database::Mode::create);
    if (!own) return std::unexpected(fmt::format("{}: {}", file, own.error().text));
    ::chmod(file.c_str(), 0600);
    auto done = own->execute("PRAGMA synchronous = EXTRA");
    if (done) done = make_tables(*own);
    if (!done) return std::unexpected(fmt::format("{}: {}", file, done.error().text));
    std::vector<Database> lanes;
    for (std::size_t lane = 0; lane < dir.lanes(); ++lane) {
        auto database = Database::open(dir.lane_file(lane), Database::Mode::read);
        if (!database) {
            return std::unexpected(fmt::format("{}: {}", dir.lane_file(lane), database.error().text)
            );
        }
        lanes.push_back(std::move(*database));
    }
    return std::unique_ptr<AuditLog>{new AuditLog(std::move(*own), std::move(lanes))};
}

AuditLog::Result<void> AuditLog::add(const AuditEntry& entry) {
    const auto done = query(
        own_,
        "INSERT INTO audit_log (at, who, what, subject, reason, trace_id, before, after) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ignore_rows,
        milliseconds(entry.at),
        std::string_view(entry.who),
        std::string_view(entry.what),
        std::string_view(entry.subject),
        std::string_view(entry.reason),
        std::string_view(entry.trace_id),
        std::string_view(entry.before),
        std::string_view(entry.after)
    );
    if (!done) return std::unexpected(report(done.error(), "add an entry"));
    return {};
}

std::expected<void, SqliteError> AuditLog::collect(
    Database& database,
    std::string_view sql,
    std::int64_t source,
    std::size_t limit,
    const AuditCursor& below,
    std::vector<Found>& found
) {
    const auto take = [&](const Statement& row) {
        const base::WallTime at{std::chrono::milliseconds{row.integer(1)}};
        found.push_back(
            {.place = {.at = at, .source = source, .number = row.integer(0)},
             .entry =
                 {.at = at,
                  .who = std::string(row.text(2)),
                  .what = std::string(row.text(3)),
                  .subject = std::string(row.text(4)),
                  .reason = std::string(row.text(5)),
                  .trace_id = std::string(row.text(6)),
                  .before = std::string(row.text(7)),
                  .after = std::string(row.text(8))}}
        );
    };
    return query(
        database,
        sql,
        take,
        milliseconds(below.at),
        number_below(below, source),
        static_cast<std::int64_t>(limit)
    );
}

AuditLog::Result<AuditPage> AuditLog::list(
    std::size_t limit, const std::optional<AuditCursor>& below
) {
    FC_ASSERT(limit > 0);
    const AuditCursor end = below.value_or(AuditCursor{
        .at = base::WallTime::max(),
        .source = std::numeric_limits<std::int64_t>::max(),
        .number = std::numeric_limits<std::int64_t>::max()});
    std::vector<Found> found;
    auto done = collect(own_, own_sql, own_source, limit + 1, end, found);
    for (std::size_t lane = 0; done && lane < lanes_.size(); ++lane) {
        const auto source = first_lane_source + static_cast<std::int64_t>(lane);
        done = collect(lanes_[lane], stock_sql, source, limit + 1, end, found);
    }
    if (!done) return std::unexpected(report(done.error(), "read"));
    std::ranges::sort(found, std::greater<>{}, &Found::place);
    AuditPage page;
    if (found.size() > limit) {
        found.resize(limit);
        page.next = found.back().place;
    }
    for (Found& each : found) page.entries.push_back(std::move(each.entry));
    return page;
}

}  // namespace firstcome::sqlite
