// src/wiring/health.cpp - the health board of this node: built-in components, and the configured
#include "wiring/health.hpp"

#include "adapters/probe/disk_space.hpp"
#include "adapters/probe/remote.hpp"
#include "app/health_rules.hpp"
#include "base/assert.hpp"
#include "config/health_check.hpp"
#include "telemetry/series_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace firstcome::wiring {

namespace {

using config::HealthCheck;
using ports::Health;
using ports::HealthStatus;

std::unique_ptr<ports::HealthIndicator> remote_of(const HealthCheck& check) {
    const bool is_tcp = check.kind == HealthCheck::Kind::tcp;
    return probe::remote({
        .name = check.name,
        .url = is_tcp ? "tcp://" + check.target : check.target,
        .timeout = check.timeout,
        .expected_status = check.expected_status,
    });
}

/// Down as soon as one of the series is on the wrong side.
Health health_of_series(const HealthCheck& check, const std::string& scrape) {
    const auto values = telemetry::values_of(scrape, check.target, check.labels);
    if (values.empty()) {
        return ports::health_because(HealthStatus::unknown, "/metrics has no such series");
    }
    const auto wrong = std::ranges::find_if_not(values, [&check](double value) {
        return config::holds(value, check.compare, check.bound);
    });
    if (wrong == values.end()) {
        Health health{.status = HealthStatus::up, .details = {}};
        health.details.push_back({.name = "value", .value = values.front()});
        return health;
    }
    return ports::health_because(
        HealthStatus::down,
        fmt::format(
            "{} is {}, not {} {}", check.target, *wrong, config::text_of(check.compare), check.bound
        )
    );
}

void add_checks(
    app::HealthBoard& board,
    const config::Config& config,
    const std::function<std::string()>& scrape
) {
    for (const std::string& line : config.health.checks) {
        const auto check = HealthCheck::from(line);
        FC_ASSERT(check);
        if (check->kind != HealthCheck::Kind::metric) {
            board.add(remote_of(*check));
            continue;
        }
        board.add(app::indicator(check->name, [check, scrape] {
            return health_of_series(*check, scrape());
        }));
    }
}

void add_groups(app::HealthBoard& board, const config::Config& config) {
    board.add_group({.name = "liveness", .components = {"livenessState"}});
    board.add_group({.name = "readiness", .components = {"readinessState"}});
    for (const std::string& line : config.health.groups) {
        auto group = config::HealthGroup::from(line);
        FC_ASSERT(group);
        board.add_group({.name = std::move(group->name), .components = std::move(group->components)}
        );
    }
}

void add_states(app::HealthBoard& board, const HealthSources& sources) {
    board.add_state("livenessState", [alive = sources.alive] {
        return alive() ? HealthStatus::up : HealthStatus::down;
    });
    board.add_state("readinessState", [&state = sources.state] {
        const bool serves = state.stage() == app::ServiceStage::serving;
        return serves ? HealthStatus::up : HealthStatus::out_of_service;
    });
}

/// What only some modes and configurations have.
void add_delivery(
    app::HealthBoard& board, const config::Config::Health& options, Backend& backend
) {
    if (!backend.backlog().waiting.empty()) {
        board.add(app::indicator("outbox", [&backend, age_max = options.outbox_age_max] {
            return app::health_of_outbox(backend.backlog(), backend.troubles(), age_max);
        }));
    }
    if (backend.desk() != nullptr) {
        board.add(app::indicator("dlq", [&backend, dead_max = options.dead_letters_max] {
            return app::health_of_dead_letters(backend.backlog(), dead_max);
        }));
    }
    if (!backend.breakers().breakers().empty()) {
        board.add(app::indicator(
            "circuitBreakers",
            [&backend, open_is_down = options.open_breaker_is_down] {
                return app::health_of_breakers(backend.breakers().breakers(), open_is_down);
            }
        ));
    }
    for (auto& each : backend.health_indicators()) board.add(std::move(each));
}

}  // namespace

std::unique_ptr<app::HealthBoard> make_health_board(
    const config::Config& config, HealthSources sources, const base::Clock& clock
) {
    auto board = std::make_unique<app::HealthBoard>(
        app::HealthOptions{.every = config.health.interval}, clock
    );
    add_states(*board, sources);
    add_delivery(*board, config.health, sources.backend);
    if (config.mode == config::Mode::embedded) {
        board->add(app::indicator("store", [fault = sources.store_fault] {
            return app::health_of_store(fault());
        }));
    }
    board->add(app::indicator("conservation", [stock = sources.stock, drift = sources.drift] {
        return app::health_of_conservation(stock(), drift());
    }));
    board->add(std::make_unique<probe::DiskSpace>(config.data.dir, config.health.disk_free_min));
    add_checks(*board, config, sources.scrape);
    add_groups(*board, config);
    return board;
}

http::ServerOptions probe_server_options(const config::Config& config) {
    const auto listen = config::Endpoint::from(config.health.listen);
    FC_ASSERT(listen);
    http::ServerOptions options;
    options.host = listen->host;
    options.port = listen->port;
    options.connections_max = 100;  // probes and scrapers, not a crowd
    options.thread_name = "fc-probe";
    return options;
}

}  // namespace firstcome::wiring
