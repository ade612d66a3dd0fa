// src/telemetry/http_families.cpp - requests, connections and rate limits as metrics
#include "telemetry/http_families.hpp"

#include <cstdint>
#include <string>

namespace firstcome::telemetry {

namespace {

/// Of the rare statuses that are not counted by themselves.
std::string text_of(int status) {
    return status == 0 ? "UNKNOWN" : std::to_string(status);
}

const char* outcome_of(int status) {
    if (status == 0) return "UNKNOWN";
    if (status < 200) return "INFORMATIONAL";
    if (status < 300) return "SUCCESS";
    if (status < 400) return "REDIRECTION";
    if (status < 500) return "CLIENT_ERROR";
    return "SERVER_ERROR";
}

void add_count(Families& out, std::uint64_t count, const char* name, const char* help) {
    begin_counter(out, name, help);
    add_value(out, static_cast<double>(count));
}

void add_connections(Families& out, const HttpStats& http) {
    begin_gauge(out, "firstcome_http_connections", "Open connections.");
    add_value(out, static_cast<double>(http.connections_open));
    add_count(
        out,
        http.connections_total,
        "firstcome_http_connections_accepted_total",
        "Connections ever accepted."
    );
    add_count(
        out,
        http.connections_refused_total,
        "firstcome_http_connections_refused_total",
        "Connections closed at once because server.connections_max were open."
    );
    add_count(
        out,
        http.connections_displaced_total,
        "firstcome_http_connections_displaced_total",
        "Idle connections closed for a newcomer because server.connections_max were open."
    );
    add_count(
        out,
        http.accept_pauses_total,
        "firstcome_http_accept_pauses_total",
        "Times no connection was accepted for a moment: out of file descriptors."
    );
    add_count(
        out,
        http.deadline_closes_total,
        "firstcome_http_deadline_closes_total",
        "Connections closed for being too slow with a header, a body or reading an answer."
    );
}

}  // namespace

void add_http_families(Families& out, const HttpStats& http) {
    begin_histogram(
        out,
        "http_server_requests_seconds",
        "From a request's last byte to its answer being handed to the system."
    );
    for (const auto& row : http.requests) {
        add_histogram(
            out,
            http.bounds_seconds,
            row.buckets,
            row.sum_seconds,
            {{"method", row.method},
             {"uri", row.route},
             {"status", text_of(row.status)},
             {"outcome", outcome_of(row.status)}}
        );
    }
    add_connections(out, http);
    add_count(
        out,
        http.malformed_requests_total,
        "firstcome_http_malformed_requests_total",
        "Requests that were no HTTP, or in doubt: answered and cut."
    );
    add_count(
        out,
        http.reply_timeouts_total,
        "firstcome_http_reply_timeouts_total",
        "Orders answered outcome_unknown because no decision came in time."
    );
    add_count(
        out,
        http.stale_answers_total,
        "firstcome_http_stale_answers_total",
        "Decisions that came after their request was answered or its connection was gone."
    );
    add_count(
        out, http.read_bytes_total, "firstcome_http_read_bytes_total", "Bytes read from clients."
    );
    add_count(
        out,
        http.written_bytes_total,
        "firstcome_http_written_bytes_total",
        "Bytes written to clients."
    );
}

void add_rate_limit_family(Families& out, std::span<const RateLimitCount> rows) {
    begin_counter(
        out, "firstcome_ratelimit_total", "Requests by the limit they were held against."
    );
    for (const RateLimitCount& row : rows) {
        const std::string policy{row.policy};
        const std::string decision{row.decision};
        add_value(
            out, static_cast<double>(row.count), {{"policy", policy}, {"decision", decision}}
        );
    }
}

}  // namespace firstcome::telemetry
