// src/wiring/alerts.hpp - the built-in alerts as configured
#pragma once

#include "app/place_order.hpp"
#include "app/stock_desk.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "telemetry/alert_watch.hpp"
#include "telemetry/metrics.hpp"
#include "wiring/backend.hpp"

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace firstcome::wiring {

/// What an alert is judged and told by. All of it outlives the watch.
struct AlertParts {
    const base::Clock& clock;
    const telemetry::Metrics& metrics;
    const app::StockDesk& stock_desk;
    const app::PlaceOrder& place_order;
    /// Orders that got no answer in time, so that no lane has counted them.
    std::function<std::uint64_t()> reply_timeouts;
    Backend& backend;
    const std::atomic<domain::Units>& drift;
    std::uint16_t port = 0;  ///< as bound
};

/// Null: alerts are off. Not started.
///
/// Errors   a sentence for the operator
[[nodiscard]] std::expected<std::unique_ptr<telemetry::AlertWatch>, std::string> make_alerts(
    const config::Config& config, const AlertParts& parts
);

}  // namespace firstcome::wiring
