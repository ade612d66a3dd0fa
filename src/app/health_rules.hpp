// src/app/health_rules.hpp - from figures to health: when each built-in component is down
#pragma once

#include "domain/stock.hpp"
#include "ports/backlog.hpp"
#include "ports/breaker_board.hpp"
#include "ports/health_indicator.hpp"
#include "ports/order_ledger.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::app {

/// Down: the oldest event waits longer than `age_max`, or something stands still until somebody
/// mends it (`troubles`, a sentence each).
[[nodiscard]] ports::Health health_of_outbox(
    const ports::Backlog& backlog,
    std::span<const std::string> troubles,
    std::chrono::milliseconds age_max
);

/// Up with the counts; down when more than `dead_max` wait for a person. 0: never down.
[[nodiscard]] ports::Health health_of_dead_letters(
    const ports::Backlog& backlog, std::uint64_t dead_max
);

/// An open breaker does what it is for, and the component it guards is down by itself: so unknown,
/// which takes no node out of service; down only where `open_is_down`.
///
/// Source   Resilience4j, CircuitBreakersHealthIndicator and its allowHealthIndicatorToFail
[[nodiscard]] ports::Health health_of_breakers(
    std::span<const ports::BreakerFigures> breakers, bool open_is_down
);

/// Down at any drift: of the items' own figures, or `drift_found` between the stores.
[[nodiscard]] ports::Health health_of_conservation(
    std::span<const domain::StockFigures> items, domain::Units drift_found
);

/// Down while the last order could not be written.
[[nodiscard]] ports::Health health_of_store(std::optional<ports::LedgerError> fault);

/// An indicator that waits for nothing: asks `look` each time.
[[nodiscard]] std::unique_ptr<ports::HealthIndicator> indicator(
    std::string name, std::function<ports::Health()> look
);

}  // namespace firstcome::app
