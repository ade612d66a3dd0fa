// src/http/problem_code.hpp - every `code` a problem may carry, with what is the same each time
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firstcome::http {

/// Every `code` a problem may carry: enumerator = JSON = metric label = log field.
enum class ProblemCode : std::uint8_t {
    // what the domain says
    sold_out,
    insufficient_stock,
    user_limit_exceeded,
    sale_not_open,
    sale_closed,
    item_not_found,
    idempotency_key_reused,
    idempotency_in_progress,
    below_committed,
    total_too_large,
    window_invalid,
    // what is wrong with the request
    validation_failed,
    idempotency_key_missing,
    idempotency_key_invalid,
    malformed_request,
    headers_too_large,
    uri_too_long,
    payload_too_large,
    unsupported_media_type,
    not_found,
    order_not_found,
    dead_letter_not_found,
    dead_letter_busy,
    redrive_running,
    redrive_not_found,
    redrive_ended,
    method_not_allowed,
    unauthorized,
    forbidden,
    request_timeout,
    expectation_failed,
    version_not_supported,
    // what is the matter with us
    rate_limited,
    please_wait,
    outcome_unknown,
    internal,
};
inline constexpr std::size_t problem_code_count =
    static_cast<std::size_t>(ProblemCode::internal) + 1;

/// The row of the table: what is the same each time a code is answered.
struct ProblemRow {
    std::string_view code;
    int status = 500;
    std::string_view title;
    std::string_view detail;  ///< what to do next
};

[[nodiscard]] const ProblemRow& row(ProblemCode code);

}  // namespace firstcome::http
