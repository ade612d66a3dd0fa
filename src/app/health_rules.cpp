// src/app/health_rules.cpp - from figures to health: when each built-in component is down
#include "app/health_rules.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::app {

using ports::Health;
using ports::HealthStatus;

namespace {

double seconds(std::chrono::milliseconds time) {
    return std::chrono::duration<double>(time).count();
}

std::int64_t shown(std::uint64_t count) {
    return static_cast<std::int64_t>(count);
}

HealthStatus status_of(std::string_view breaker_state, bool open_is_down) {
    const bool open = breaker_state == "OPEN" || breaker_state == "FORCED_OPEN";
    if (open) return open_is_down ? HealthStatus::down : HealthStatus::unknown;
    return breaker_state == "HALF_OPEN" ? HealthStatus::unknown : HealthStatus::up;
}

/// The worst, unknown before up: one open breaker among closed ones is not to be overlooked.
HealthStatus more_telling(HealthStatus a, HealthStatus b) {
    if (a == HealthStatus::down || b == HealthStatus::down) return HealthStatus::down;
    const bool unknown = a == HealthStatus::unknown || b == HealthStatus::unknown;
    return unknown ? HealthStatus::unknown : HealthStatus::up;
}

class Asked final : public ports::HealthIndicator {
public:
    Asked(std::string name, std::function<Health()> look)
        : name_(std::move(name)), look_(std::move(look)) {}

    [[nodiscard]] std::string_view name() const override { return name_; }

    [[nodiscard]] Health check() override { return look_(); }

private:
    const std::string name_;
    const std::function<Health()> look_;
};

}  // namespace

Health health_of_outbox(
    const ports::Backlog& backlog,
    std::span<const std::string> troubles,
    std::chrono::milliseconds age_max
) {
    std::uint64_t pending = 0;
    std::chrono::milliseconds oldest{};
    for (const ports::WaitingLine& line : backlog.waiting) {
        pending += line.depth.pending;
        oldest = std::max(oldest, line.depth.oldest_age);
    }
    Health health{.status = HealthStatus::up, .details = {}};
    if (oldest > age_max) {
        health = health_because(
            HealthStatus::down,
            "the oldest event has waited longer than health.outbox_age_max: what takes events is "
            "away, too slow, or refuses them; the log says which"
        );
    }
    // One reason: a person mends one thing at a time, and the log has them all.
    if (!troubles.empty()) health = health_because(HealthStatus::down, troubles.front());
    health.details.push_back({.name = "pending", .value = shown(pending)});
    health.details.push_back({.name = "oldestAgeSeconds", .value = seconds(oldest)});
    health.details.push_back({.name = "ageMaxSeconds", .value = seconds(age_max)});
    return health;
}

Health health_of_dead_letters(const ports::Backlog& backlog, std::uint64_t dead_max) {
    Health health{.status = HealthStatus::up, .details = {}};
    if (dead_max > 0 && backlog.dead > dead_max) {
        health = health_because(
            HealthStatus::down,
            "more events wait for a person than health.dead_letters_max: firstcome dlq list"
        );
    }
    health.details.push_back({.name = "dead", .value = shown(backlog.dead)});
    health.details.push_back({.name = "retrying", .value = shown(backlog.retrying)});
    health.details.push_back({.name = "oldestAgeSeconds", .value = seconds(backlog.oldest_age)});
    return health;
}

Health health_of_breakers(std::span<const ports::BreakerFigures> breakers, bool open_is_down) {
    Health health{.status = HealthStatus::up, .details = {}};
    for (const ports::BreakerFigures& each : breakers) {
        health.status = more_telling(health.status, status_of(each.state, open_is_down));
        health.details.push_back({.name = each.name, .value = std::string(each.state)});
    }
    return health;
}

Health health_of_conservation(
    std::span<const domain::StockFigures> items, domain::Units drift_found
) {
    domain::Units drift = drift_found < 0 ? -drift_found : drift_found;
    std::int64_t items_off = 0;
    for (const domain::StockFigures& item : items) {
        const domain::Units off = item.drift();
        drift += off < 0 ? -off : off;
        items_off += off != 0 ? 1 : 0;
    }
    Health health{.status = HealthStatus::up, .details = {}};
    if (drift != 0) {
        health = health_because(
            HealthStatus::down,
            "stock does not add up: see GET /api/v1/admin/audit/conservation and the log"
        );
    }
    health.details.push_back({.name = "driftUnits", .value = std::int64_t{drift}});
    health.details.push_back({.name = "itemsOff", .value = items_off});
    health.details.push_back({.name = "items", .value = shown(items.size())});
    return health;
}

Health health_of_store(std::optional<ports::LedgerError> fault) {
    if (!fault) return {.status = HealthStatus::up, .details = {}};
    const bool full = *fault == ports::LedgerError::storage_full;
    Health health = health_because(
        HealthStatus::down,
        full ? "the disk is full: the last order could not be written, and buyers are told to wait"
             : "the last order could not be written, and its buyer was told to wait; the log says "
               "why"
    );
    health.details.push_back({.name = "fault", .value = std::string(name(*fault))});
    return health;
}

std::unique_ptr<ports::HealthIndicator> indicator(std::string name, std::function<Health()> look) {
    return std::make_unique<Asked>(std::move(name), std::move(look));
}

}  // namespace firstcome::app
