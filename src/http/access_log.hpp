// src/http/access_log.hpp - a line for an answered request, for those who want one
#pragma once

#include "http/message.hpp"

#include <chrono>
#include <cstddef>

namespace firstcome::http {

struct AccessLogOptions {
    bool on = false;
    unsigned sample_percent = 100;  ///< of requests; an answer 5xx always has its line
};

/// Method, route template, status, time, size and ids, at level info: no address, no path as sent,
/// nothing of a body or a header.
///
/// Units    bytes of the whole answer as sent
/// Thread   any
void log_access(
    const AccessLogOptions& options,
    const Request& request,
    unsigned status,
    std::chrono::nanoseconds duration,
    std::size_t bytes
);

}  // namespace firstcome::http
