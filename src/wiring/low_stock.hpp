// src/wiring/low_stock.hpp - from the configuration: when an item's stock is low
#pragma once

#include "config/config.hpp"
#include "domain/stock.hpp"

namespace firstcome::wiring {

/// The same for the alert StockLow and the event stock.low.
[[nodiscard]] domain::LowStock low_stock_of(const config::Config::Alerts& alerts);

}  // namespace firstcome::wiring
