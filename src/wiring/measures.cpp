// src/wiring/measures.cpp - what the engine and the relays count, in the form the metrics take it
#include "wiring/measures.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace firstcome::wiring {

namespace {

constexpr std::string_view order_method = "POST";
constexpr std::string_view order_route = "/api/v1/orders";
constexpr std::array order_statuses{202, 400, 404, 409, 422, 429, 503, 504};

/// The row of the same request at another listener, or a new one.
telemetry::HttpRequestStats& row_in(
    telemetry::HttpStats& stats, const std::string& method, const std::string& route, int status
) {
    for (telemetry::HttpRequestStats& row : stats.requests) {
        if (row.method == method && row.route == route && row.status == status) return row;
    }
    telemetry::HttpRequestStats& row = stats.requests.emplace_back();
    row.method = method;
    row.route = route;
    row.status = status;
    return row;
}

void add_requests(
    const http::RequestFigures& each, const http::Router& router, telemetry::HttpStats& stats
) {
    const bool known = each.route < router.routes().size();
    const http::Route* route = known ? &router.routes()[each.route] : nullptr;
    telemetry::HttpRequestStats& row = row_in(
        stats,
        known ? std::string(http::name(route->method)) : "UNKNOWN",
        known ? route->path : "UNKNOWN",
        static_cast<int>(each.status)
    );
    row.sum_seconds += std::chrono::duration<double>(each.duration_sum).count();
    row.buckets.resize(each.buckets.size());
    for (std::size_t i = 0; i < each.buckets.size(); ++i) row.buckets[i] += each.buckets[i];
}

void add_listener(const Listener& listener, telemetry::HttpStats& stats) {
    const http::ServerFigures figures = listener.server->figures();
    for (const http::RequestFigures& each : figures.requests) {
        add_requests(each, *listener.router, stats);
    }
    stats.connections_open += figures.connections_open;
    stats.connections_total += figures.connections_accepted;
    stats.connections_refused_total += figures.connections_refused;
    stats.connections_displaced_total += figures.connections_displaced;
    stats.accept_pauses_total += figures.accept_pauses;
    stats.malformed_requests_total += figures.malformed_requests;
    stats.deadline_closes_total += figures.deadline_closes;
    stats.reply_timeouts_total += figures.reply_timeouts;
    stats.stale_answers_total += figures.stale_answers;
    stats.read_bytes_total += figures.bytes_read;
    stats.written_bytes_total += figures.bytes_written;
}

void add_missing_order_rows(telemetry::HttpStats& stats) {
    for (const int status : order_statuses) {
        const auto same = [status](const telemetry::HttpRequestStats& row) {
            return row.status == status && row.route == order_route && row.method == order_method;
        };
        if (std::ranges::any_of(stats.requests, same)) continue;
        telemetry::HttpRequestStats& row = stats.requests.emplace_back();
        row.method = order_method;
        row.route = order_route;
        row.status = status;
        row.buckets.assign(stats.bounds_seconds.size() + 1, 0);
    }
}

}  // namespace

telemetry::HttpStats http_stats(std::span<const Listener> listeners) {
    telemetry::HttpStats stats;
    for (const auto bound : http::duration_bounds) {
        stats.bounds_seconds.push_back(std::chrono::duration<double>(bound).count());
    }
    for (const Listener& each : listeners) add_listener(each, stats);
    add_missing_order_rows(stats);
    return stats;
}

std::vector<telemetry::RelayFigures> relay_figures(std::span<const NamedRelay> relays) {
    std::vector<telemetry::RelayFigures> all;
    for (const NamedRelay& each : relays) {
        const app::RelayCounts counts = each.relay->counts();
        all.push_back({
            .stage = each.stage,
            .batches = counts.batches,
            .sink_calls = counts.sink_calls,
            .delivered = counts.delivered,
            .transient = counts.transient,
            .outbox_faults = counts.outbox_faults,
            .park_faults = counts.park_faults,
            .backoff = counts.backoff,
        });
    }
    return all;
}

}  // namespace firstcome::wiring
