// src/adapters/postgres/dead_letter_rows.hpp - a dead letter and a redrive task as rows
#pragma once

#include "adapters/postgres/connection.hpp"
#include "ports/dead_letters.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::postgres {

/// The columns in the order `dead_letters_of` expects.
#define FC_DEAD_LETTER_COLUMNS                                                                \
    "id, consumer, event_id, event_type, occurred_at, order_id, user_id, item_id, quantity, " \
    "sequence, accepted_at, order_status, durability, key, trace, remaining, total, cause, "  \
    "last_error, attempts, first_failure, last_failure, next_attempt, status"

/// Failure (refused): a row breaks a rule of the domain.
[[nodiscard]] Result<std::vector<ports::DeadLetter>> dead_letters_of(Result<Rows> rows);

#define FC_REDRIVE_COLUMNS                                                              \
    "id, of_status, of_cause, of_item, of_consumer, per_second, status, moved, total, " \
    "started_at, "                                                                      \
    "ended_at, last_entry"

struct StoredRedrive {
    ports::RedriveTask task;
    ports::DeadLetterId last_entry = 0;  ///< moved up to here
};

/// Failure (refused): a row breaks a rule of the domain.
[[nodiscard]] Result<std::vector<StoredRedrive>> redrives_of(Result<Rows> rows);

/// `coalesce($1` before it: the time given; null: the server's, in milliseconds as we read times.
#define FC_OR_NOW ", date_trunc('milliseconds', statement_timestamp()))"

/// A filter as a condition of $1 to $4, each null when it matches everything.
#define FC_FILTER                                                                                  \
    "($1 IS NULL OR status = $1) AND ($2 IS NULL OR cause = $2) AND ($3 IS NULL OR item_id = $3) " \
    "AND ($4 IS NULL OR consumer = $4)"

/// The four, as parameters.
struct FilterTexts {
    explicit FilterTexts(const ports::DeadLetterFilter& filter);

    std::optional<std::string_view> status;
    std::optional<std::string_view> cause;
    std::optional<std::string_view> item;
    std::optional<std::string_view> consumer;
};

/// What a failure means to the caller. A refusal is told in the log; of an outage the connection
/// speaks.
[[nodiscard]] ports::DeadLetterError report(const SqlFailure& failure, std::string_view attempted);

}  // namespace firstcome::postgres
