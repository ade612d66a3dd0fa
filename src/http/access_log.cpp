// src/http/access_log.cpp - a line for an answered request, for those who want one
#include "http/access_log.hpp"

#include "http/request_trace.hpp"
#include "http/routes.hpp"
#include "telemetry/log.hpp"

#include <string_view>

namespace firstcome::http {

namespace {

// By its trace, so that a sampled request has its line on every node it passes.
bool is_sampled(const Request& request, unsigned percent) {
    return request.trace.trace_low % 100 < percent;
}

}  // namespace

void log_access(
    const AccessLogOptions& options,
    const Request& request,
    unsigned status,
    std::chrono::nanoseconds duration,
    std::size_t bytes
) {
    if (status < 500 && !is_sampled(request, options.sample_percent)) return;
    if (!log::enabled(log::Level::info)) return;
    const std::string_view route =
        request.route == nullptr ? std::string_view{"UNKNOWN"} : request.route->path;
    const RequestScope scope{request};  // names the ids
    log::info(
        "request",
        {{"method", name(request.method)},
         {"route", route},
         {"status", status},
         {"ms", std::chrono::duration<double, std::milli>(duration).count()},
         {"bytes", bytes}}
    );
}

}  // namespace firstcome::http
