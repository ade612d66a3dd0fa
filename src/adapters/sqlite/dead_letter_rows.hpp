// src/adapters/sqlite/dead_letter_rows.hpp - a dead letter and a redrive task as rows
#pragma once

#include "adapters/sqlite/database.hpp"
#include "ports/dead_letters.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::sqlite {

/// The columns in the order `read_dead_letter` expects, without a trailing comma.
inline constexpr std::string_view dead_letter_columns =
    "id, consumer, event_id, event_type, occurred_at, order_id, user_id, item_id, quantity,"
    " sequence, accepted_at, order_status, durability, key, trace, remaining, total, cause,"
    " last_error, attempts, first_failure, last_failure, next_attempt, status";

/// Parking: the columns above without the id, as `insert` binds them.
inline constexpr std::string_view insert_dead_letter =
    "INSERT INTO failed_order_events (consumer, event_id, event_type, occurred_at, order_id,"
    " user_id, item_id, quantity, sequence, accepted_at, order_status, durability, key, trace,"
    " remaining, total, cause, last_error, attempts, first_failure, last_failure, next_attempt,"
    " status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (consumer, event_id) DO NOTHING";

/// Binds and runs; the letter's id is not used.
[[nodiscard]] std::expected<void, SqliteError> insert(
    Statement& insert_statement, const ports::DeadLetter& letter
);

/// Nothing: what is stored is damaged.
[[nodiscard]] std::optional<ports::DeadLetter> read_dead_letter(const Statement& row);

inline constexpr std::string_view redrive_columns =
    "id, of_status, of_cause, of_item, of_consumer, per_second, status, moved, total, started_at,"
    " ended_at, last_entry";

struct StoredRedrive {
    ports::RedriveTask task;
    ports::DeadLetterId last_entry = 0;  ///< moved up to here
};

/// Nothing: what is stored is damaged.
[[nodiscard]] std::optional<StoredRedrive> read_redrive(const Statement& row);

/// A filter as a condition of four parameters, each null when it matches everything.
inline constexpr std::string_view filter_condition =
    "(?1 IS NULL OR status = ?1) AND (?2 IS NULL OR cause = ?2) AND (?3 IS NULL OR item_id = ?3)"
    " AND (?4 IS NULL OR consumer = ?4)";

/// Binds those four; the filter must live until the statement is reset.
void bind_filter(Statement& statement, const ports::DeadLetterFilter& filter);

[[nodiscard]] inline std::int64_t milliseconds(domain::WallTime time) {
    return time.time_since_epoch().count();
}

[[nodiscard]] inline domain::WallTime wall_time(std::int64_t milliseconds) {
    return domain::WallTime{std::chrono::milliseconds{milliseconds}};
}

}  // namespace firstcome::sqlite
