// src/wiring/health.hpp - the health board of this node: built-in components, and the configured
#pragma once

#include "app/health_board.hpp"
#include "app/service_state.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "domain/stock.hpp"
#include "http/options.hpp"
#include "ports/order_ledger.hpp"
#include "wiring/backend.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::wiring {

/// Where the built-in components look; all outlive the board. The functions: any thread.
struct HealthSources {
    Backend& backend;
    const app::ServiceState& state;
    std::function<bool()> alive;  ///< nothing is stuck
    std::function<std::vector<domain::StockFigures>()> stock;
    std::function<domain::Units()> drift;  ///< between the stores
    std::function<std::optional<ports::LedgerError>()> store_fault;
    std::function<std::string()> scrape;  ///< the text of /metrics
};

/// Not started yet. Thread: main; `config` and `clock` outlive the board
[[nodiscard]] std::unique_ptr<app::HealthBoard> make_health_board(
    const config::Config& config, HealthSources sources, const base::Clock& clock
);

/// The listener of `health.listen`: one thread that orders never reach.
[[nodiscard]] http::ServerOptions probe_server_options(const config::Config& config);

}  // namespace firstcome::wiring
