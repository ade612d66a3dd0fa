// src/adapters/sqlite/dead_letters.cpp - dead letters in a file of their own
#include "adapters/sqlite/dead_letters.hpp"

#include "adapters/sqlite/dead_letter_rows.hpp"
#include "adapters/sqlite/dead_letters.sql.hpp"
#include "adapters/sqlite/query.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sys/stat.h>
#include <tuple>
#include <utility>

namespace firstcome::sqlite {

using domain::WallTime;
using ports::DeadLetter;
using ports::DeadLetterError;
using ports::DeadLetterFilter;
using ports::DeadLetterId;
using ports::RedriveTask;

namespace {

constexpr int schema_version = 1;

const auto ignore_rows = [](const Statement&) {};

// Open, and tried by nobody at ?1.
constexpr std::string_view free_at_1 =
    "status IN ('retrying', 'dead') AND (claim_until IS NULL OR claim_until <= ?1)";

std::expected<void, SqliteError> make_tables(Database& database) {
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun;
    std::int64_t version = 0;
    const auto read = [&](const Statement& row) { version = row.integer(0); };
    auto done = query(database, "PRAGMA user_version", read);
    if (done && version == 0) {
        done = database.execute(std::string(dead_letters_sql));
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

}  // namespace

std::string DeadLetters::file_in(const std::filesystem::path& data_dir) {
    return (data_dir / "dead_letters.sqlite").string();
}

std::expected<std::unique_ptr<DeadLetters>, std::string> DeadLetters::open(
    const std::filesystem::path& data_dir, std::function<void(std::string_view)> fatal
) {
    const std::string file = file_in(data_dir);
    auto database = Database::open(file, Database::Mode::create);
    if (!database) return std::unexpected(fmt::format("{}: {}", file, database.error().text));
    ::chmod(file.c_str(), 0600);
    auto done = database->execute("PRAGMA synchronous = EXTRA");
    if (done) done = make_tables(*database);
    if (!done) return std::unexpected(fmt::format("{}: {}", file, done.error().text));
    return std::unique_ptr<DeadLetters>{new DeadLetters(std::move(*database), std::move(fatal))};
}

DeadLetterError DeadLetters::report(const SqliteError& error, std::string_view attempted) {
    if (error.kind == SqliteError::Kind::sync_failed) fatal_(stop_message(error, attempted));
    log::error("dead letters: cannot " + std::string(attempted), {{"error", error.text}});
    return DeadLetterError::unavailable;
}

DeadLetters::Done DeadLetters::in_transaction(const std::function<Done()>& work) {
    if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
    auto done = work();
    if (done) done = database_.execute("COMMIT");
    if (!done && database_.in_transaction()) static_cast<void>(database_.execute("ROLLBACK"));
    return done;
}

template <typename... Values>
DeadLetters::Letters DeadLetters::read(std::string_view sql, const Values&... values) {
    std::vector<DeadLetter> letters;
    bool whole = true;
    const auto take = [&](const Statement& row) {
        auto letter = read_dead_letter(row);
        whole = whole && letter;
        if (letter) letters.push_back(std::move(*letter));
    };
    auto done = query(database_, sql, take, values...);
    if (!done) return std::unexpected(done.error());
    if (!whole) {
        return std::unexpected(SqliteError{SqliteError::Kind::corrupt, "an entry is damaged"});
    }
    return letters;
}

template <typename... Values>
DeadLetters::Result<DeadLetter> DeadLetters::change(
    DeadLetterId id, std::string_view sql, const Values&... values
) {
    auto changed = read(sql, values...);
    if (!changed) return std::unexpected(report(changed.error(), "change an entry"));
    if (changed->empty()) return std::unexpected(why_not(id));
    FC_ASSERT(changed->size() == 1);
    return std::move(changed->front());
}

DeadLetterError DeadLetters::why_not(DeadLetterId id) {
    const auto letter = find(id);
    if (!letter) return letter.error();
    return *letter ? DeadLetterError::in_the_way : DeadLetterError::not_found;
}

DeadLetters::Result<void> DeadLetters::park(
    const domain::Event& event,
    std::string_view consumer,
    const ports::DeliveryFailure& failure,
    WallTime now,
    WallTime next_attempt
) {
    const DeadLetter letter{
        .consumer = std::string(consumer),
        .event = event,
        .cause = failure.cause,
        .last_error = failure.error,
        .attempts = is_transient(failure.cause) ? 0U : 1U,
        .first_failure = now,
        .last_failure = now,
        .next_attempt = next_attempt,
    };
    auto statement = database_.prepare(insert_dead_letter);
    if (!statement) return std::unexpected(report(statement.error(), "park an event"));
    if (auto done = insert(*statement, letter); !done) {
        return std::unexpected(report(done.error(), "park an event"));
    }
    return {};
}

DeadLetters::Result<std::vector<DeadLetter>> DeadLetters::claim_due(
    std::string_view consumer, WallTime now, WallTime claim_until, std::size_t max
) {
    FC_ASSERT(claim_until > now);
    auto claimed = read(
        fmt::format(
            "UPDATE failed_order_events SET claim_until = ?2 WHERE id IN (SELECT id FROM"
            " failed_order_events WHERE status = 'retrying' AND consumer = ?3 AND next_attempt <="
            " ?1 AND {} ORDER BY next_attempt, id LIMIT ?4) RETURNING {}",
            free_at_1,
            dead_letter_columns
        ),
        milliseconds(now),
        milliseconds(claim_until),
        consumer,
        static_cast<std::int64_t>(max)
    );
    if (!claimed) return std::unexpected(report(claimed.error(), "claim what is due"));
    std::ranges::sort(*claimed, {}, [](const DeadLetter& letter) {
        return std::tuple(letter.next_attempt, letter.id);
    });
    for (const DeadLetter& letter : *claimed) claims_[letter.id] = claim_until;
    return std::move(*claimed);
}

DeadLetters::Result<void> DeadLetters::resolve(DeadLetterId id, WallTime now) {
    claims_.erase(id);
    const auto resolved = change(
        id,
        fmt::format(
            "UPDATE failed_order_events SET status = 'resolved', next_attempt = NULL, claim_until ="
            " NULL, settled_at = coalesce(settled_at, ?1) WHERE id = ?2 AND status <> 'discarded'"
            " RETURNING {}",
            dead_letter_columns
        ),
        milliseconds(now),
        id
    );
    if (!resolved) return std::unexpected(resolved.error());
    return {};
}

DeadLetters::Result<void> DeadLetters::failed_again(
    DeadLetterId id,
    const ports::DeliveryFailure& failure,
    bool counts,
    WallTime now,
    std::optional<WallTime> next_attempt
) {
    const auto claim = claims_.find(id);
    if (claim == claims_.end()) return std::unexpected(why_not(id));
    const WallTime claimed_until = claim->second;
    const std::optional<std::int64_t> next =
        next_attempt ? std::optional(milliseconds(*next_attempt)) : std::nullopt;
    const auto failed = change(
        id,
        fmt::format(
            "UPDATE failed_order_events SET claim_until = NULL, cause = ?1, last_error = ?2,"
            " attempts = attempts + ?3, last_failure = ?4, next_attempt = ?5, status = CASE WHEN ?5"
            " IS NULL THEN 'dead' ELSE 'retrying' END WHERE id = ?6 AND claim_until = ?7 RETURNING"
            " {}",
            dead_letter_columns
        ),
        name(failure.cause),
        std::string_view(failure.error),
        std::int64_t{counts},
        milliseconds(now),
        next,
        id,
        milliseconds(claimed_until)
    );
    if (failed || failed.error() != DeadLetterError::unavailable) claims_.erase(id);
    if (!failed) return std::unexpected(failed.error());
    return {};
}

DeadLetters::Result<std::optional<DeadLetter>> DeadLetters::find(DeadLetterId id) {
    auto found = read(
        fmt::format("SELECT {} FROM failed_order_events WHERE id = ?1", dead_letter_columns), id
    );
    if (!found) return std::unexpected(report(found.error(), "read an entry"));
    if (found->empty()) return std::nullopt;
    return std::move(found->front());
}

DeadLetters::Result<ports::DeadLetterPage> DeadLetters::list(
    const DeadLetterFilter& filter, std::size_t limit, std::optional<DeadLetterId> below
) {
    FC_ASSERT(limit > 0);
    auto select = database_.prepare(fmt::format(
        "SELECT {} FROM failed_order_events WHERE {} AND (?5 IS NULL OR id < ?5) ORDER BY id DESC"
        " LIMIT ?6",
        dead_letter_columns,
        filter_condition
    ));
    auto count = database_.prepare(
        fmt::format("SELECT count(*) FROM failed_order_events WHERE {}", filter_condition)
    );
    if (!select) return std::unexpected(report(select.error(), "list"));
    if (!count) return std::unexpected(report(count.error(), "list"));
    bind_filter(*select, filter);
    bind_all(*select, 4, below, static_cast<std::int64_t>(limit + 1));
    bind_filter(*count, filter);

    ports::DeadLetterPage page;
    bool whole = true;
    auto done = each_row(*select, [&](const Statement& row) {
        auto letter = read_dead_letter(row);
        whole = whole && letter;
        if (letter) page.entries.push_back(std::move(*letter));
    });
    if (done) {
        done = each_row(*count, [&](const Statement& row) {
            page.total = static_cast<std::uint64_t>(row.integer(0));
        });
    }
    if (done && !whole) {
        done = std::unexpected(SqliteError{SqliteError::Kind::corrupt, "an entry is damaged"});
    }
    if (!done) return std::unexpected(report(done.error(), "list"));
    if (page.entries.size() <= limit) return page;
    page.entries.pop_back();
    page.next = page.entries.back().id;
    return page;
}

DeadLetters::Result<ports::DeadLetterTotals> DeadLetters::totals() {
    ports::DeadLetterTotals totals;
    const auto add = [&](const Statement& row) {
        const auto item = domain::ItemId::from(row.text(2));
        if (item && row.text(3) == ports::orders_consumer) totals.units[*item] += row.integer(5);
        if (row.text(0) == "discarded") return;
        const auto count = static_cast<std::uint64_t>(row.integer(4));
        (row.text(0) == "dead" ? totals.dead : totals.retrying) += count;
        if (const auto cause = ports::cause_from(row.text(1))) totals.by_cause[*cause] += count;
        const WallTime oldest = wall_time(row.integer(6));
        totals.oldest = std::min(totals.oldest.value_or(oldest), oldest);
    };
    const auto done = query(
        database_,
        "SELECT status, cause, item_id, consumer, count(*), sum(quantity), min(first_failure) FROM"
        " failed_order_events WHERE status IN ('retrying', 'dead') OR (status = 'discarded' AND"
        " compensated = 0) GROUP BY 1, 2, 3, 4",
        add
    );
    if (!done) return std::unexpected(report(done.error(), "count"));
    return totals;
}

DeadLetters::Result<DeadLetter> DeadLetters::retry(DeadLetterId id, WallTime now) {
    return change(
        id,
        fmt::format(
            "UPDATE failed_order_events SET status = 'retrying', attempts = 0, next_attempt = ?1,"
            " claim_until = NULL WHERE id = ?2 AND {} RETURNING {}",
            free_at_1,
            dead_letter_columns
        ),
        milliseconds(now),
        id
    );
}

DeadLetters::Result<DeadLetter> DeadLetters::discard(
    DeadLetterId id, std::string_view reason, std::string_view who, WallTime now
) {
    Letters gone;
    const auto sql = fmt::format(
        "UPDATE failed_order_events SET status = 'discarded', next_attempt = NULL, claim_until ="
        " NULL, settled_at = ?1 WHERE id = ?2 AND {} RETURNING {}",
        free_at_1,
        dead_letter_columns
    );
    const auto done = in_transaction([&]() -> Done {
        gone = read(sql, milliseconds(now), id);
        if (!gone) return std::unexpected(gone.error());
        if (gone->empty()) return {};
        return query(
            database_,
            "INSERT INTO audit_log (at, who, what, subject, reason) VALUES (?, ?, 'discard', ?, ?)",
            ignore_rows,
            milliseconds(now),
            who,
            std::string_view(fmt::format("dead letter {}", id)),
            reason
        );
    });
    if (!done) return std::unexpected(report(done.error(), "give an entry up"));
    if (gone->empty()) return std::unexpected(why_not(id));
    return std::move(gone->front());
}

DeadLetters::Result<std::vector<DeadLetter>> DeadLetters::undone(std::size_t max) {
    auto undone = read(
        fmt::format(
            "SELECT {} FROM failed_order_events WHERE status = 'discarded' AND compensated = 0"
            " ORDER BY id LIMIT ?1",
            dead_letter_columns
        ),
        static_cast<std::int64_t>(max)
    );
    if (!undone) return std::unexpected(report(undone.error(), "read what is undone"));
    return std::move(*undone);
}

DeadLetters::Result<void> DeadLetters::compensated(DeadLetterId id) {
    const auto noted = change(
        id,
        fmt::format(
            "UPDATE failed_order_events SET compensated = 1 WHERE id = ?1 AND status = 'discarded'"
            " RETURNING {}",
            dead_letter_columns
        ),
        id
    );
    if (!noted) return std::unexpected(noted.error());
    return {};
}

DeadLetters::Result<std::size_t> DeadLetters::forget_settled(WallTime before, std::size_t max) {
    std::size_t gone = 0;
    const auto done = query(
        database_,
        "DELETE FROM failed_order_events WHERE id IN (SELECT id FROM failed_order_events WHERE"
        " settled_at < ?1 AND (status = 'resolved' OR (status = 'discarded' AND compensated = 1 AND"
        " consumer <> 'orders')) ORDER BY settled_at, id LIMIT ?2) RETURNING id",
        [&gone](const Statement&) { ++gone; },
        milliseconds(before),
        static_cast<std::int64_t>(max)
    );
    if (!done) return std::unexpected(report(done.error(), "forget what is settled"));
    return gone;
}

}  // namespace firstcome::sqlite
