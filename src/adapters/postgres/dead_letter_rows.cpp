// src/adapters/postgres/dead_letter_rows.cpp - a dead letter and a redrive task as rows
#include "adapters/postgres/dead_letter_rows.hpp"

#include "adapters/postgres/order_rows.hpp"
#include "telemetry/log.hpp"

#include <utility>

namespace firstcome::postgres {

using ports::DeadLetter;

namespace {

SqlFailure damaged(std::string_view what) {
    return {.error = SqlError::refused, .sqlstate = {}, .text = std::string(what) + " is damaged"};
}

// Columns 2..16. False: damaged.
bool read_event(const Rows& rows, std::size_t row, domain::Event& event) {
    const auto type = domain::event_type_from(rows.text(row, 3));
    const auto user = domain::UserId::from(rows.text(row, 6));
    const auto item = domain::ItemId::from(rows.text(row, 7));
    const auto status = domain::order_status_from(rows.text(row, 11));
    const auto durability = durability_from(rows.text(row, 12));
    if (!type || !user || !item || !status || !durability) return false;
    event.id = rows.id(row, 2);
    event.type = *type;
    event.occurred_at = rows.time(row, 4);
    event.order.id = rows.id(row, 5);
    event.order.user = *user;
    event.order.item = *item;
    event.order.quantity = static_cast<std::int32_t>(rows.integer(row, 8));
    event.order.sequence = static_cast<domain::Sequence>(rows.integer(row, 9));
    event.order.accepted_at = rows.time(row, 10);
    event.order.status = *status;
    event.order.durability = *durability;
    event.remaining = rows.integer(row, 15);
    event.total = rows.integer(row, 16);
    if (!rows.is_null(row, 13) && rows.bytes(row, 13).size() != 16) return false;
    if (!rows.is_null(row, 14) && rows.bytes(row, 14).size() != 25) return false;
    event.key = rows.maybe_key(row, 13);
    event.trace = rows.trace(row, 14);
    return true;
}

std::optional<DeadLetter> dead_letter_of(const Rows& rows, std::size_t row) {
    DeadLetter letter;
    if (!read_event(rows, row, letter.event)) return std::nullopt;
    const auto cause = ports::cause_from(rows.text(row, 17));
    const auto status = ports::dead_letter_status_from(rows.text(row, 23));
    if (!cause || !status) return std::nullopt;
    letter.id = rows.integer(row, 0);
    letter.consumer = rows.text(row, 1);
    letter.cause = *cause;
    letter.last_error = rows.text(row, 18);
    letter.attempts = static_cast<unsigned>(rows.integer(row, 19));
    letter.first_failure = rows.time(row, 20);
    letter.last_failure = rows.time(row, 21);
    letter.next_attempt = rows.maybe_time(row, 22);
    letter.status = *status;
    return letter;
}

std::optional<StoredRedrive> redrive_of(const Rows& rows, std::size_t row) {
    StoredRedrive stored;
    ports::RedriveTask& task = stored.task;
    // What is there and not understood must not become "matches everything".
    if (!rows.is_null(row, 1)) {
        task.filter.status = ports::dead_letter_status_from(rows.text(row, 1));
        if (!task.filter.status) return std::nullopt;
    }
    if (!rows.is_null(row, 2)) {
        task.filter.cause = ports::cause_from(rows.text(row, 2));
        if (!task.filter.cause) return std::nullopt;
    }
    if (!rows.is_null(row, 3)) {
        task.filter.item = domain::ItemId::from(rows.text(row, 3));
        if (!task.filter.item) return std::nullopt;
    }
    if (!rows.is_null(row, 4)) task.filter.consumer = rows.text(row, 4);
    task.id = rows.integer(row, 0);
    task.per_second = static_cast<unsigned>(rows.integer(row, 5));
    task.status = rows.text(row, 6);
    task.moved = static_cast<std::uint64_t>(rows.integer(row, 7));
    task.total = static_cast<std::uint64_t>(rows.integer(row, 8));
    task.started_at = rows.time(row, 9);
    task.ended_at = rows.maybe_time(row, 10);
    stored.last_entry = rows.integer(row, 11);
    return stored;
}

}  // namespace

Result<std::vector<DeadLetter>> dead_letters_of(Result<Rows> rows) {
    if (!rows) return std::unexpected(std::move(rows.error()));
    std::vector<DeadLetter> letters;
    for (std::size_t row = 0; row < rows->size(); ++row) {
        auto letter = dead_letter_of(*rows, row);
        if (!letter) return std::unexpected(damaged("a dead letter"));
        letters.push_back(std::move(*letter));
    }
    return letters;
}

Result<std::vector<StoredRedrive>> redrives_of(Result<Rows> rows) {
    if (!rows) return std::unexpected(std::move(rows.error()));
    std::vector<StoredRedrive> redrives;
    for (std::size_t row = 0; row < rows->size(); ++row) {
        auto redrive = redrive_of(*rows, row);
        if (!redrive) return std::unexpected(damaged("a redrive task"));
        redrives.push_back(std::move(*redrive));
    }
    return redrives;
}

FilterTexts::FilterTexts(const ports::DeadLetterFilter& filter) {
    if (filter.status) status = name(*filter.status);
    if (filter.cause) cause = name(*filter.cause);
    if (filter.item) item = filter.item->text();
    if (filter.consumer) consumer = *filter.consumer;
}

ports::DeadLetterError report(const SqlFailure& failure, std::string_view attempted) {
    if (failure.error == SqlError::refused) {
        log::error(
            "dead letters: cannot " + std::string(attempted),
            {{"sqlstate", failure.sqlstate}, {"error", failure.text}}
        );
    }
    return ports::DeadLetterError::unavailable;
}

}  // namespace firstcome::postgres
