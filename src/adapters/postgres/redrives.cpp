// src/adapters/postgres/redrives.cpp - the redrive tasks of the dead letters
#include "adapters/postgres/dead_letter_rows.hpp"
#include "adapters/postgres/dead_letters.hpp"
#include "base/assert.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::postgres {

using domain::WallTime;
using ports::DeadLetterError;
using ports::DeadLetterId;
using ports::RedriveTask;

namespace {

// Dead, as the filter says, not moved by this task yet ($5) and there when it began: the time that
// follows.
#define FC_STILL_TO_MOVE FC_FILTER " AND status = 'dead' AND id > $5 AND first_failure <= "

}  // namespace

DeadLetters::Result<RedriveTask> DeadLetters::start_redrive(
    const ports::DeadLetterFilter& filter, unsigned per_second, WallTime now
) {
    FC_ASSERT(per_second > 0);
    const FilterTexts texts{filter};
    auto started = redrives_of(connection_.write(
        "INSERT INTO redrive_tasks (of_status, of_cause, of_item, of_consumer, per_second, status,"
        " started_at, total) SELECT $1, $2, $3, $4, $7, 'running', coalesce($6" FC_OR_NOW
        ", (SELECT count(*) FROM failed_order_events WHERE " FC_STILL_TO_MOVE
        "coalesce($6" FC_OR_NOW ") ON CONFLICT DO NOTHING RETURNING " FC_REDRIVE_COLUMNS,
        {texts.status,
         texts.cause,
         texts.item,
         texts.consumer,
         std::int64_t{0},
         given(now),
         per_second}
    ));
    if (!started) return std::unexpected(report(started.error(), "start a redrive"));
    if (started->empty()) return std::unexpected(DeadLetterError::in_the_way);
    return std::move(started->front().task);
}

DeadLetters::Result<std::optional<RedriveTask>> DeadLetters::continue_redrive(
    std::size_t max, WallTime now
) {
    // Asked all the time by every node, and nearly always for nothing.
    const auto running =
        connection_.read("SELECT FROM redrive_tasks WHERE status = 'running' LIMIT 1");
    if (!running) return std::unexpected(report(running.error(), "look for a redrive"));
    if (running->empty()) return std::nullopt;
    auto transaction = Transaction::begin(connection_);
    if (!transaction) return std::unexpected(report(transaction.error(), "begin to redrive"));
    auto task = move_on(max, now);
    if (!task) return std::unexpected(report(task.error(), "redrive"));
    auto committed = transaction->commit();
    if (!committed) return std::unexpected(report(committed.error(), "commit a redrive"));
    return std::move(*task);
}

// The task's row is locked, so that two nodes never move together more than its pace allows.
postgres::Result<std::optional<RedriveTask>> DeadLetters::move_on(std::size_t max, WallTime now) {
    auto rows = connection_.write(
        "SELECT " FC_REDRIVE_COLUMNS ", coalesce($1" FC_OR_NOW
        " FROM redrive_tasks WHERE status = 'running' FOR UPDATE",
        {given(now)}
    );
    if (rows && !rows->empty()) now = rows->time(0, 12);
    const auto running = redrives_of(std::move(rows));
    if (!running) return std::unexpected(running.error());
    if (running->empty()) return std::nullopt;
    const RedriveTask& task = running->front().task;
    const FilterTexts texts{task.filter};
    DeadLetterId last_entry = running->front().last_entry;

    const auto moved = connection_.write(
        "WITH next AS MATERIALIZED (SELECT id FROM failed_order_events WHERE " FC_STILL_TO_MOVE
        "$6 ORDER BY id LIMIT $7 FOR UPDATE) UPDATE failed_order_events SET status = 'retrying',"
        " attempts = 0, next_attempt = $8, claim_until = NULL WHERE id IN (SELECT next.id FROM"
        " next) RETURNING id",
        {texts.status,
         texts.cause,
         texts.item,
         texts.consumer,
         last_entry,
         task.started_at,
         std::min<std::uint64_t>(max, ports::allowance(task, now)),
         now}
    );
    if (!moved) return std::unexpected(moved.error());
    for (std::size_t row = 0; row < moved->size(); ++row) {
        last_entry = std::max<DeadLetterId>(last_entry, moved->integer(row, 0));
    }
    auto noted = redrives_of(connection_.write(
        "WITH more AS (SELECT EXISTS (SELECT FROM failed_order_events WHERE " FC_STILL_TO_MOVE
        "$6) AS there) UPDATE redrive_tasks SET moved = moved + $7, last_entry = $5, status = CASE"
        " WHEN more.there THEN 'running' ELSE 'done' END, ended_at = CASE WHEN more.there THEN NULL"
        " ELSE $8 END FROM more WHERE id = $9 RETURNING " FC_REDRIVE_COLUMNS,
        {texts.status,
         texts.cause,
         texts.item,
         texts.consumer,
         last_entry,
         task.started_at,
         moved->size(),
         now,
         task.id}
    ));
    if (!noted) return std::unexpected(noted.error());
    return std::move(noted->front().task);
}

DeadLetters::Result<RedriveTask> DeadLetters::cancel_redrive(std::int64_t task, WallTime now) {
    auto cancelled = redrives_of(connection_.write(
        "UPDATE redrive_tasks SET status = 'cancelled', ended_at = coalesce($1" FC_OR_NOW
        " WHERE id = $2 AND status = 'running' RETURNING " FC_REDRIVE_COLUMNS,
        {given(now), task}
    ));
    if (!cancelled) return std::unexpected(report(cancelled.error(), "cancel a redrive"));
    if (!cancelled->empty()) return std::move(cancelled->front().task);
    const auto there = redrive(task);
    return std::unexpected(there ? DeadLetterError::in_the_way : there.error());
}

DeadLetters::Result<RedriveTask> DeadLetters::redrive(std::int64_t task) {
    auto found = redrives_of(
        connection_.read("SELECT " FC_REDRIVE_COLUMNS " FROM redrive_tasks WHERE id = $1", {task})
    );
    if (!found) return std::unexpected(report(found.error(), "read a redrive"));
    if (found->empty()) return std::unexpected(DeadLetterError::not_found);
    return std::move(found->front().task);
}

DeadLetters::Result<std::vector<RedriveTask>> DeadLetters::redrives() {
    auto found = redrives_of(connection_.read("SELECT " FC_REDRIVE_COLUMNS
                                              " FROM redrive_tasks ORDER BY id DESC LIMIT 100"));
    if (!found) return std::unexpected(report(found.error(), "list redrives"));
    std::vector<RedriveTask> tasks;
    for (StoredRedrive& stored : *found) tasks.push_back(std::move(stored.task));
    return tasks;
}

}  // namespace firstcome::postgres
