// src/telemetry/counted.hpp - what others count, in the form the metrics take it
#pragma once

#include "ports/event_sink.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::telemetry {

/// One row of the HTTP engine's counting: route templates only, never a path somebody sent.
struct HttpRequestStats {
    std::string method;
    std::string route;  ///< `/api/v1/orders/{orderId}`, `UNKNOWN`
    int status = 0;     ///< 202, 409, ...
    double sum_seconds = 0;
    std::vector<std::uint64_t>
        buckets;  ///< of HttpStats::bounds and one more above; not cumulative
};

/// All but `connections_open` count since the start.
struct HttpStats {
    std::vector<double> bounds_seconds{};  ///< upper bounds of the buckets, rising
    std::vector<HttpRequestStats> requests{};
    std::uint64_t connections_open = 0;
    std::uint64_t connections_total = 0;
    std::uint64_t connections_refused_total = 0;    ///< beyond connections_max
    std::uint64_t connections_displaced_total = 0;  ///< idle, closed for a newcomer
    std::uint64_t accept_pauses_total = 0;          ///< out of file descriptors
    std::uint64_t malformed_requests_total = 0;     ///< no HTTP, or in doubt
    std::uint64_t deadline_closes_total = 0;        ///< too slow with a header, a body or reading
    std::uint64_t reply_timeouts_total = 0;         ///< orders answered `outcome_unknown`
    std::uint64_t stale_answers_total = 0;          ///< came after their request was answered
    std::uint64_t read_bytes_total = 0;
    std::uint64_t written_bytes_total = 0;
};

/// One row of what the limiter has decided since the start.
struct RateLimitCount {
    std::string_view policy;    ///< `ip`, `user`
    std::string_view decision;  ///< `allowed`, `limited`, ...
    std::uint64_t count = 0;
};

/// What one relay of this node has done since the start.
struct RelayFigures {
    std::string_view stage;        ///< one of `event_stages`
    std::uint64_t batches = 0;     ///< pulls that gave events
    std::uint64_t sink_calls = 0;  ///< more than batches: refusals were looked for by halves
    std::uint64_t delivered = 0;   ///< events
    std::array<std::uint64_t, ports::causes.size()> transient{};  ///< failed sink calls, by cause
    std::uint64_t outbox_faults = 0;      ///< pulls and acknowledgements that failed
    std::uint64_t park_faults = 0;        ///< events that could not be parked at once
    std::chrono::milliseconds backoff{};  ///< the rest it takes now; 0: none
};

/// The lines events travel: from Redis to PostgreSQL, and to the webhook.
inline constexpr std::array<std::string_view, 2> event_stages{"orders", "webhook"};

}  // namespace firstcome::telemetry
