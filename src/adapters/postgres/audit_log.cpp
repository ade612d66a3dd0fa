// src/adapters/postgres/audit_log.cpp - the audit log of all nodes
#include "adapters/postgres/audit_log.hpp"

#include "adapters/postgres/storable.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

namespace firstcome::postgres {

using ports::AuditCursor;
using ports::AuditError;
using ports::AuditPage;

namespace {

constexpr std::string_view add_sql = R"(
INSERT INTO audit_log (at, who, what, subject, reason, trace_id, before, after)
SELECT $1, $2, $3, $4, $5, $6, nullif($7, '')::jsonb, nullif($8, '')::jsonb)";

// Only when it may be there: two nodes do the same for the same request within a millisecond too.
constexpr std::string_view unless_there_sql = R"(
WHERE NOT EXISTS (SELECT FROM audit_log
                  WHERE at = $1 AND what = $3 AND subject = $4 AND trace_id = $6))";

// Below the place $1 (time; null: from the top), $2 (source), $3 (number): $4 entries. What a
// discard wrote inside its own transaction is there again with the trace, written after it.
constexpr std::string_view list_sql = R"(
SELECT * FROM (
    (SELECT id AS number, 0::bigint AS source, date_trunc('milliseconds', at) AS at,
            who, what, subject, reason, trace_id,
            coalesce(before::text, '') AS before, coalesce(after::text, '') AS after
     FROM audit_log
     WHERE what <> 'discard'
       AND (date_trunc('milliseconds', at), 0::bigint, id) < (coalesce($1, 'infinity'), $2, $3)
     ORDER BY date_trunc('milliseconds', at) DESC, id DESC LIMIT $4)
    UNION ALL
    (SELECT id, 1::bigint, date_trunc('milliseconds', at),
            who, 'stock.' || operation, item_id, reason, trace_id,
            jsonb_build_object('total', before_total)::text,
            jsonb_build_object('total', after_initial + after_restocked,
                'remaining', after_remaining, 'sold', after_sold,
                'opensAt', to_char(after_opens_at AT TIME ZONE 'UTC',
                                   'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'closesAt', to_char(after_closes_at AT TIME ZONE 'UTC',
                                    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'perUserLimit', after_per_user_limit)::text
     FROM stock_movements
     WHERE (date_trunc('milliseconds', at), 1::bigint, id) < (coalesce($1, 'infinity'), $2, $3)
     ORDER BY date_trunc('milliseconds', at) DESC, id DESC LIMIT $4)
) entries ORDER BY at DESC, source DESC, number DESC LIMIT $4)";

AuditError report(const SqlFailure& failure, std::string_view attempted) {
    log::error(
        "audit log: cannot " + std::string(attempted),
        {{"error", failure.text}, {"sqlstate", failure.sqlstate}}
    );
    // Class 22: the values themselves. A table or a right that is missing may yet be given.
    const bool is_its_own =
        failure.error == SqlError::refused && failure.sqlstate.starts_with("22");
    return is_its_own ? AuditError::refused : AuditError::unavailable;
}

}  // namespace

AuditLog::Result<void> AuditLog::add(const ports::AuditEntry& entry) {
    std::string sql{add_sql};
    if (answer_lost_) sql += unless_there_sql;
    const auto added = connection_.write(
        sql,
        {entry.at,
         storable(entry.who),
         entry.what,
         storable(entry.subject),
         storable(entry.reason),
         entry.trace_id,
         entry.before,
         entry.after}
    );
    answer_lost_ = !added && (answer_lost_ || added.error().error == SqlError::outcome_unknown);
    if (!added) return std::unexpected(report(added.error(), "add an entry"));
    return {};
}

AuditLog::Result<AuditPage> AuditLog::list(
    std::size_t limit, const std::optional<AuditCursor>& below
) {
    FC_ASSERT(limit > 0);
    constexpr std::int64_t top = std::numeric_limits<std::int64_t>::max();
    const std::optional<base::WallTime> at =
        below ? std::optional(below->at) : std::optional<base::WallTime>{};
    const auto rows = connection_.read(
        list_sql, {at, below ? below->source : top, below ? below->number : top, limit + 1}
    );
    if (!rows) return std::unexpected(report(rows.error(), "read"));
    AuditPage page;
    const std::size_t shown = std::min(rows->size(), limit);
    for (std::size_t row = 0; row < shown; ++row) {
        const AuditCursor place{
            .at = rows->time(row, 2),
            .source = rows->integer(row, 1),
            .number = rows->integer(row, 0)};
        const auto text = [&](int column) { return std::string(rows->text(row, column)); };
        page.entries.push_back(
            {.at = place.at,
             .who = text(3),
             .what = text(4),
             .subject = text(5),
             .reason = text(6),
             .trace_id = text(7),
             .before = text(8),
             .after = text(9)}
        );
        if (rows->size() > limit) page.next = place;
    }
    return page;
}

}  // namespace firstcome::postgres
