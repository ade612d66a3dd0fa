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

telemetry::HttpRequestStats row_of(const http::RequestFigures& each, const http::Router& router) {
    const bool known = each.route < router.routes().size();
    const http::Route* route = known ? &router.routes()[each.route] : nullptr;
    telemetry::HttpRequestStats row;
    row.method = known ? std::string(http::name(route->method)) : "UNKNOWN";
    row.route = known ? route->path : "UNKNOWN";
    row.status = static_cast<int>(each.status);
    row.sum_seconds = std::chrono::duration<double>(each.duration_sum).count();
    row.buckets.assign(each.buckets.begin(), each.buckets.end());
    return row;
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

telemetry::HttpStats http_stats(const http::Server& server, const http::Router& router) {
    const http::ServerFigures figures = server.figures();
    telemetry::HttpStats stats;
    for (const auto bound : http::duration_bounds) {
        stats.bounds_seconds.push_back(std::chrono::duration<double>(bound).count());
    }
    for (const http::RequestFigures& each : figures.requests) {
        stats.requests.push_back(row_of(each, router));
    }
    add_missing_order_rows(stats);
    stats.connections_open = figures.connections_open;
    stats.connections_total = figures.connections_accepted;
    stats.connections_refused_total = figures.connections_refused;
    stats.accept_pauses_total = figures.accept_pauses;
    stats.malformed_requests_total = figures.malformed_requests;
    stats.deadline_closes_total = figures.deadline_closes;
    stats.reply_timeouts_total = figures.reply_timeouts;
    stats.stale_answers_total = figures.stale_answers;
    stats.read_bytes_total = figures.bytes_read;
    stats.written_bytes_total = figures.bytes_written;
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
