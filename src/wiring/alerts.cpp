// src/wiring/alerts.cpp - the built-in alerts as configured
#include "wiring/alerts.hpp"

#include "adapters/webhook/alert_receiver.hpp"
#include "telemetry/log.hpp"
#include "wiring/low_stock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace firstcome::wiring {

namespace {

using telemetry::AlertOutlet;
using telemetry::AlertWatch;
using Receiver = webhook::AlertReceiver;
template <typename T>
using Result = std::expected<T, std::string>;

constexpr unsigned valid_for_resends = 4;  // as Prometheus does it

std::string instance_of(const config::Config& config, std::uint16_t port) {
    if (!config.alerts.instance.empty()) return config.alerts.instance;
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) return fmt::format("localhost:{}", port);
    return fmt::format("{}:{}", host.data(), port);
}

telemetry::AlertLimits limits_of(const config::Config::Alerts& alerts) {
    telemetry::AlertLimits limits;
    limits.stock_low = low_stock_of(alerts);
    limits.error_percent = alerts.error_percent;
    limits.error_window = alerts.error_window;
    limits.latency_p99 = alerts.latency;
    limits.dead_letter_age = alerts.dead_letter_age;
    limits.outbox_age = alerts.outbox_age;
    return limits;
}

/// What every node finds is told by one: an item's alerts by the leader of its lane, others by the
/// leader of the first one. While nobody knows who leads, each tells: twice is better than never.
bool is_ours(const ports::Alert& alert, const Backend& backend, std::size_t lanes) {
    if (!found_by_all(alert.kind)) return true;
    if (subject_label(alert.kind) != "item") return !backend.follows(0);
    const auto item = domain::ItemId::from(alert.subject);
    return !item || !backend.follows(app::shard_of(*item, lanes));
}

bool is_fault(std::string_view outcome) {
    return std::ranges::any_of(ports::ledger_errors, [outcome](ports::LedgerError error) {
        return name(error) == outcome;
    });
}

// A business no is an answer; failed is what a fault of ours or of a store kept from one, what was
// shed, and what nobody decided in time. Of the last, one that is decided after all is counted as
// asked for twice: a lane that stands still must be seen before it moves again.
telemetry::AlertFigures figures_of(const AlertParts& parts) {
    telemetry::AlertFigures figures;
    figures.at = parts.clock.monotonic();
    figures.items = parts.stock_desk.all_stock();
    figures.orders_failed = parts.place_order.shed_count() + parts.reply_timeouts();
    figures.orders = figures.orders_failed;
    for (const auto& each : parts.metrics.outcomes()) {
        figures.orders += each.count;
        if (is_fault(each.outcome)) figures.orders_failed += each.count;
    }
    const auto recent = parts.metrics.recent(figures.at);
    figures.recent_per_second = recent.accepted_per_second_10s;
    figures.latency_p99 = recent.p99;
    figures.breakers = parts.backend.breakers().breakers();
    figures.backlog = parts.backend.backlog();
    figures.violations = parts.metrics.invariant_violations();
    figures.drift = parts.drift.load();
    return figures;
}

Result<AlertWatch::Outlets> open_outlets(
    const config::Config& config, const AlertParts& parts, const std::string& node_url
) {
    const auto& alerts = config.alerts;
    AlertWatch::Outlets outlets;
    if (!alerts.alertmanager_url.empty()) {
        auto receiver = Receiver::open(
            {.url = alerts.alertmanager_url,
             .format = webhook::AlertFormat::alertmanager,
             .node_url = node_url,
             .valid_for = alerts.resend * valid_for_resends},
            parts.clock
        );
        if (!receiver) return std::unexpected("alerts.alertmanager_url: " + receiver.error());
        outlets.push_back(std::make_unique<AlertOutlet>(
            telemetry::OutletOptions{
                .name = "alertmanager", .thread_name = "fc-alertmanager", .repeat = alerts.resend},
            std::move(*receiver),
            parts.clock
        ));
    }
    if (!alerts.webhook_url.empty()) {
        const bool slack = alerts.webhook_format == config::AlertFormat::slack;
        auto receiver = Receiver::open(
            {.url = alerts.webhook_url,
             .format = slack ? webhook::AlertFormat::slack : webhook::AlertFormat::generic,
             .node_url = node_url},
            parts.clock
        );
        if (!receiver) return std::unexpected("alerts.webhook_url: " + receiver.error());
        outlets.push_back(std::make_unique<AlertOutlet>(
            telemetry::OutletOptions{
                .name = "alert-webhook",
                .thread_name = "fc-alert-hook",
                .ours = [&backend = parts.backend, lanes = config.lane.count](const auto& alert
                        ) { return is_ours(alert, backend, lanes); }},
            std::move(*receiver),
            parts.clock
        ));
    }
    return outlets;
}

}  // namespace

Result<std::unique_ptr<AlertWatch>> make_alerts(
    const config::Config& config, const AlertParts& parts
) {
    const auto& alerts = config.alerts;
    if (!alerts.enabled) {
        if (!alerts.alertmanager_url.empty() || !alerts.webhook_url.empty()) {
            log::warn("alerts.enabled is false: nobody is told of alerts");
        }
        return nullptr;
    }
    telemetry::WatchOptions options;
    options.interval = alerts.interval;
    options.instance = instance_of(config, parts.port);
    options.limits = limits_of(alerts);
    const bool tls = config.has_tls();
    const std::string node_url = (tls ? "https://" : "http://") + options.instance;
    auto outlets = open_outlets(config, parts, node_url);
    if (!outlets) return std::unexpected(std::move(outlets.error()));
    return std::make_unique<AlertWatch>(
        std::move(options), [parts] { return figures_of(parts); }, std::move(*outlets), parts.clock
    );
}

}  // namespace firstcome::wiring
