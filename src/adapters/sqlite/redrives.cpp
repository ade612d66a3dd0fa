// src/adapters/sqlite/redrives.cpp - the redrive tasks of the dead letters
#include "adapters/sqlite/dead_letter_rows.hpp"
#include "adapters/sqlite/dead_letters.hpp"
#include "adapters/sqlite/query.hpp"
#include "base/assert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace firstcome::sqlite {

using domain::WallTime;
using ports::DeadLetterError;
using ports::DeadLetterId;
using ports::RedriveTask;

namespace {

using Tasks = std::expected<std::vector<StoredRedrive>, SqliteError>;

// Dead, as the filter says, not moved by this task yet (?5) and there when it began (?6).
const std::string still_to_move =
    fmt::format("{} AND status = 'dead' AND id > ?5 AND first_failure <= ?6", filter_condition);

Tasks read_tasks(Statement& statement) {
    std::vector<StoredRedrive> tasks;
    bool whole = true;
    auto done = each_row(statement, [&](const Statement& row) {
        auto task = read_redrive(row);
        whole = whole && task;
        if (task) tasks.push_back(std::move(*task));
    });
    if (!done) return std::unexpected(done.error());
    if (!whole) {
        return std::unexpected(SqliteError{SqliteError::Kind::corrupt, "a redrive is damaged"});
    }
    return tasks;
}

template <typename... Values>
Tasks read_tasks(Database& database, std::string_view sql, const Values&... values) {
    auto statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    bind_all(*statement, 0, values...);
    return read_tasks(*statement);
}

std::expected<std::vector<DeadLetterId>, SqliteError> next_to_move(
    Database& database, const StoredRedrive& redrive, std::uint64_t max
) {
    auto next = database.prepare(fmt::format(
        "SELECT id FROM failed_order_events WHERE {} ORDER BY id LIMIT ?7", still_to_move
    ));
    if (!next) return std::unexpected(next.error());
    bind_filter(*next, redrive.task.filter);
    const std::int64_t began = milliseconds(redrive.task.started_at);
    bind_all(*next, 4, redrive.last_entry, began, static_cast<std::int64_t>(max));
    std::vector<DeadLetterId> ids;
    auto found = each_row(*next, [&](const Statement& row) { ids.push_back(row.integer(0)); });
    if (!found) return std::unexpected(found.error());
    return ids;
}

std::expected<void, SqliteError> make_due(Database& database, DeadLetterId id, WallTime now) {
    return query(
        database,
        "UPDATE failed_order_events SET status = 'retrying', attempts = 0, next_attempt = ?1,"
        " claim_until = NULL WHERE id = ?2",
        [](const Statement&) {},
        milliseconds(now),
        id
    );
}

}  // namespace

DeadLetters::Result<RedriveTask> DeadLetters::start_redrive(
    const ports::DeadLetterFilter& filter, unsigned per_second, WallTime now
) {
    FC_ASSERT(per_second > 0);
    auto start = database_.prepare(fmt::format(
        "INSERT INTO redrive_tasks (of_status, of_cause, of_item, of_consumer, per_second, status,"
        " started_at, total) SELECT ?1, ?2, ?3, ?4, ?7, 'running', ?6, (SELECT count(*) FROM"
        " failed_order_events WHERE {}) WHERE true ON CONFLICT DO NOTHING RETURNING {}",
        still_to_move,
        redrive_columns
    ));
    if (!start) return std::unexpected(report(start.error(), "start a redrive"));
    bind_filter(*start, filter);
    bind_all(*start, 4, std::int64_t{0}, milliseconds(now), std::int64_t{per_second});
    auto started = read_tasks(*start);
    if (!started) return std::unexpected(report(started.error(), "start a redrive"));
    if (started->empty()) return std::unexpected(DeadLetterError::in_the_way);
    return std::move(started->front().task);
}

DeadLetters::Result<std::optional<RedriveTask>> DeadLetters::continue_redrive(
    std::size_t max, WallTime now
) {
    std::optional<RedriveTask> task;
    const auto done = in_transaction([&] { return move_on(task, max, now); });
    if (!done) return std::unexpected(report(done.error(), "continue a redrive"));
    return task;
}

DeadLetters::Done DeadLetters::move_on(
    std::optional<RedriveTask>& task, std::size_t max, WallTime now
) {
    const auto running = read_tasks(
        database_,
        fmt::format("SELECT {} FROM redrive_tasks WHERE status = 'running'", redrive_columns)
    );
    if (!running) return std::unexpected(running.error());
    if (running->empty()) return {};
    const StoredRedrive& stored = running->front();
    const auto may = std::min<std::uint64_t>(max, ports::allowance(stored.task, now));
    auto ids = next_to_move(database_, stored, may + 1);
    if (!ids) return std::unexpected(ids.error());
    const bool last = ids->size() <= may;
    if (!last) ids->pop_back();
    for (const DeadLetterId id : *ids) {
        if (auto moved = make_due(database_, id, now); !moved) return moved;
    }
    auto noted = read_tasks(
        database_,
        fmt::format(
            "UPDATE redrive_tasks SET moved = moved + ?1, last_entry = ?2, status = ?3, ended_at ="
            " CASE WHEN ?3 = 'done' THEN ?4 END WHERE id = ?5 RETURNING {}",
            redrive_columns
        ),
        static_cast<std::int64_t>(ids->size()),
        ids->empty() ? stored.last_entry : ids->back(),
        std::string_view(last ? "done" : "running"),
        milliseconds(now),
        stored.task.id
    );
    if (!noted) return std::unexpected(noted.error());
    task = std::move(noted->front().task);
    return {};
}

DeadLetters::Result<RedriveTask> DeadLetters::cancel_redrive(std::int64_t task, WallTime now) {
    auto cancelled = read_tasks(
        database_,
        fmt::format(
            "UPDATE redrive_tasks SET status = 'cancelled', ended_at = ?1 WHERE id = ?2 AND status"
            " = 'running' RETURNING {}",
            redrive_columns
        ),
        milliseconds(now),
        task
    );
    if (!cancelled) return std::unexpected(report(cancelled.error(), "cancel a redrive"));
    if (!cancelled->empty()) return std::move(cancelled->front().task);
    const auto there = redrive(task);
    return std::unexpected(there ? DeadLetterError::in_the_way : there.error());
}

DeadLetters::Result<RedriveTask> DeadLetters::redrive(std::int64_t task) {
    auto found = read_tasks(
        database_, fmt::format("SELECT {} FROM redrive_tasks WHERE id = ?1", redrive_columns), task
    );
    if (!found) return std::unexpected(report(found.error(), "read a redrive"));
    if (found->empty()) return std::unexpected(DeadLetterError::not_found);
    return std::move(found->front().task);
}

DeadLetters::Result<std::vector<RedriveTask>> DeadLetters::redrives() {
    auto found = read_tasks(
        database_,
        fmt::format("SELECT {} FROM redrive_tasks ORDER BY id DESC LIMIT 100", redrive_columns)
    );
    if (!found) return std::unexpected(report(found.error(), "list redrives"));
    std::vector<RedriveTask> tasks;
    for (StoredRedrive& stored : *found) tasks.push_back(std::move(stored.task));
    return tasks;
}

}  // namespace firstcome::sqlite
