// src/http/deadline.hpp - how long the client of a request waits, in its own words
#pragma once

#include "base/time.hpp"
#include "http/message.hpp"
#include "http/problem.hpp"

#include <expected>

namespace firstcome::http {

/// What Firstcome-Deadline-Ms says: milliseconds from the request's arrival, 1 to 3,600,000. An
/// order whose turn comes later is not executed. Without the header: never.
///
/// Errors   validation_failed  anything else, or the header twice
[[nodiscard]] std::expected<base::MonotonicTime, Problem> deadline_of(const Request& request);

}  // namespace firstcome::http
