// src/wiring/service_parts.cpp - what the parts of a service may ask of the whole
#include "telemetry/log.hpp"
#include "wiring/notify.hpp"
#include "wiring/service.hpp"

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::wiring {

http::App Service::make_app() {
    std::function<std::vector<ports::Alert>()> alerts;
    if (config_.alerts.enabled) {
        alerts = [this] {
            const auto* shown = alerts_shown_.load();
            return shown != nullptr ? shown->firing() : std::vector<ports::Alert>{};
        };
    }
    return http::App{
        .options = api_options_,
        .place_order = *place_order_,
        .find_order = *find_order_,
        .stock_desk = *stock_desk_,
        .hash = backend_->hash(),
        .admin_tokens = credentials_.admins(),
        .state = state_,
        .dead_letters = backend_->desk(),
        .metrics_text = [this] { return scrapes_.text(); },
        .metrics_content_type = telemetry::Metrics::content_type,
        .recent_rates =
            [this] {
                const auto recent = metrics_.recent(clock_.monotonic());
                const auto seconds = [](const auto& time) -> std::optional<double> {
                    if (!time) return std::nullopt;
                    return std::chrono::duration<double>(*time).count();
                };
                return http::RecentRates{
                    .orders_per_second_1s = recent.accepted_per_second_1s,
                    .orders_per_second_10s = recent.accepted_per_second_10s,
                    .p50_seconds = seconds(recent.p50),
                    .p99_seconds = seconds(recent.p99),
                };
            },
        .outcomes =
            [this] {
                std::vector<http::OutcomeTotal> totals;
                for (const auto& each : metrics_.outcomes()) {
                    totals.push_back({.outcome = each.outcome, .count = each.count});
                }
                return totals;
            },
        .stuck = [this] { return watchdog_->stuck(); },
        .invariant_violated = [this] { metrics_.invariant_violated(); },
        .breakers = &backend_->breakers(),
        .health = health_.get(),
        .backlog = [this] { return backend_->backlog(); },
        .troubles = [this] { return backend_->troubles(); },
        .drifts = [this] { return backend_->drifts(); },
        .gate = &limits_->gate(),
        .in_flight = &limits_->in_flight(),
        .alerts = std::move(alerts),
        .buyers = credentials_.buyers(),
        .audit = audit_.get(),
        .admin_certificate_required = !config_.admin.client_ca_file.empty(),
    };
}

telemetry::MetricSources Service::metric_sources() {
    return {
        .stock = [this] { return stock_desk_->all_stock(); },
        .queue_depths =
            [this] {
                std::vector<std::size_t> depths;
                for (const auto& lane : lanes_) depths.push_back(lane->queue_depth());
                return depths;
            },
        .orders_shed = [this] { return place_order_->shed_count(); },
        .http = [this] { return all_http_stats(); },
        .breakers = [this] { return backend_->breakers().breakers(); },
        .alerts =
            [this] {
                const auto* shown = alerts_shown_.load();
                return shown != nullptr ? shown->stats() : telemetry::AlertStats{};
            },
        .backlog = [this] { return backend_->backlog(); },
        .relays = [this] { return relay_figures(backend_->relays()); },
        .rate_limits =
            [this] {
                std::vector<telemetry::RateLimitCount> counts;
                for (const app::LimitRow& row : limits_->rows()) {
                    counts.push_back({row.policy, row.decision, row.count});
                }
                return counts;
            },
        .drift_between_stores = [this] { return drift_.load(); },
        .spans = [this] { return tracing_.counts(); },
    };
}

telemetry::HttpStats Service::all_http_stats() const {
    std::vector<Listener> listeners{{server_.get(), router_.get()}};
    if (admin_server_) listeners.push_back({admin_server_.get(), admin_router_.get()});
    if (probe_server_) listeners.push_back({probe_server_.get(), probe_router_.get()});
    return http_stats(listeners);
}

HealthSources Service::health_sources() {
    return {
        .backend = *backend_,
        .state = state_,
        .alive = [this] { return watchdog_->stuck().empty(); },
        .stock = [this] { return stock_desk_->all_stock(); },
        .drift = [this] { return drift_.load(); },
        .store_fault = [this] { return store_watch_.fault(); },
        .scrape = [this] { return metrics_.scrape(); },
    };
}

std::vector<app::WatchedThread> Service::watched() const {
    std::vector<app::WatchedThread> threads;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        const auto beat = [at = lanes_[lane].get()] {
            return app::Beat{.last = at->last_beat(), .idle = !at->busy()};
        };
        threads.push_back({.name = fmt::format("fc-lane-{}", lane), .beat = beat});
    }
    for (unsigned thread = 0; thread < io_threads_of(config_); ++thread) {
        const auto beat = [this, thread] { return app::Beat{.last = server_->last_beat(thread)}; };
        threads.push_back({.name = fmt::format("fc-io-{}", thread), .beat = beat});
    }
    if (admin_server_ != nullptr) {
        const auto beat = [this] { return app::Beat{.last = admin_server_->last_beat(0)}; };
        threads.push_back({.name = "fc-admin-0", .beat = beat});
    }
    return threads;
}

app::WatchdogEvents Service::watchdog_events() const {
    return {
        .stuck =
            [](const std::string& name) {
                log::error("a thread has stopped moving", {{"thread", name}});
                notify_status(name + " has stopped moving");
            },
        .moves =
            [](const std::string& name) {
                log::warn("a thread moves again", {{"thread", name}});
                notify_status(name + " moves again");
            },
        .alive = notify_alive,
    };
}

}  // namespace firstcome::wiring
