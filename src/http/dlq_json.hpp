// src/http/dlq_json.hpp - dead letters: what an operator sends, and what is shown of them
#pragma once

#include "http/input_error.hpp"
#include "ports/dead_letters.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::http {

inline constexpr unsigned redrive_per_second_default = 10;
inline constexpr unsigned redrive_per_second_max = 1000;

/// Reads `{reason}`: 1..reason_characters_max characters.
///
/// Errors   every mistake found
[[nodiscard]] std::expected<std::string, InputErrors> parse_discard(std::string_view body);

struct RedriveRequest {
    ports::DeadLetterFilter filter;
    unsigned per_second = redrive_per_second_default;
};

/// Reads `{filter?:{cause?,itemId?,consumer?},maxPerSecond?}`; no filter: everything dead.
///
/// Errors   every mistake found
[[nodiscard]] std::expected<RedriveRequest, InputErrors> parse_redrive(std::string_view body);

/// `{id,status,cause,consumer,eventId,eventType,orderId,itemId,attempts,firstFailure,lastFailure,
/// nextAttempt,lastError,traceId,payload:{...}}`; nextAttempt is null unless retrying. The payload
/// is the order, with `remaining` and `total` for events of stock.
void append_dead_letter(std::string& out, const ports::DeadLetter& letter);

/// `{entries,total,oldestAgeSeconds,byCause,nextCursor}`: entries and total as filtered, the age
/// (null: nothing is open) and the counts of all that is open.
void append_dead_letter_page(
    std::string& out,
    const ports::DeadLetterPage& page,
    const ports::DeadLetterTotals& totals,
    domain::WallTime now
);

/// `{task,status,filter,maxPerSecond,moved,total,startedAt,endedAt}`
void append_redrive(std::string& out, const ports::RedriveTask& task);

/// `{tasks:[...]}`
void append_redrives(std::string& out, std::span<const ports::RedriveTask> tasks);

}  // namespace firstcome::http
