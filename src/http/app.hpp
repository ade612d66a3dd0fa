// src/http/app.hpp - what the handlers stand on: built by wiring, outlives every request
#pragma once

#include "app/dead_letter_desk.hpp"
#include "app/find_order.hpp"
#include "app/place_order.hpp"
#include "app/service_state.hpp"
#include "app/stock_desk.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "domain/order.hpp"
#include "http/admin_tokens.hpp"
#include "http/buyer_tokens.hpp"
#include "ports/alert.hpp"
#include "ports/backlog.hpp"
#include "ports/breaker_board.hpp"
#include "ports/store_drift.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::app {
class AuditDesk;    // audit_desk.hpp
class HealthBoard;  // health_board.hpp
}  // namespace firstcome::app

namespace firstcome::http {

class Gate;
struct InFlightBounds;

/// What the last seconds were like; for the stats page.
struct RecentRates {
    double orders_per_second_1s = 0;    ///< accepted
    double orders_per_second_10s = 0;   ///< accepted
    std::optional<double> p50_seconds;  ///< arrival to durable; nothing: no order lately
    std::optional<double> p99_seconds;
};

struct OutcomeTotal {
    std::string_view outcome;
    std::uint64_t count = 0;
};

struct ApiOptions {
    std::int32_t quantity_max = 1000;                       ///< units per order
    bool key_required = false;                              ///< idempotency.required
    std::size_t order_body_max = std::size_t{64} * 1024;    ///< bytes
    std::size_t batch_body_max = std::size_t{1024} * 1024;  ///< bytes
    std::string version;
    std::string mode;
};

/// References and functions only; each outlives the server.
struct App {
    const ApiOptions& options;
    app::PlaceOrder& place_order;
    app::FindOrder& find_order;
    app::StockDesk& stock_desk;
    const base::KeyedHash& hash;
    const AdminTokens& admin_tokens;
    const app::ServiceState& state;
    app::DeadLetterDesk* dead_letters = nullptr;  ///< null: none are kept

    std::function<std::string()> metrics_text;
    std::string_view metrics_content_type;
    std::function<RecentRates()> recent_rates;
    std::function<std::vector<OutcomeTotal>()> outcomes;
    /// Names of event loops and lanes that have not moved for too long; empty when alive.
    std::function<std::vector<std::string>()> stuck;
    /// Told about a broken invariant, which is also logged.
    std::function<void()> invariant_violated;
    ports::BreakerBoard* breakers = nullptr;  ///< null: nothing is guarded
    app::HealthBoard* health = nullptr;       ///< null: there is no /actuator/health
    /// What waits and what was refused, as last known; empty: nothing ever does.
    std::function<ports::Backlog()> backlog{};
    /// What stands still until somebody mends it, a sentence each; empty: nothing ever does.
    std::function<std::vector<std::string>()> troubles{};
    /// Items of which the stores say different things, as the leaders of this node found them last;
    /// empty: there is one store.
    std::function<std::vector<ports::StoreDrift>()> drifts{};
    Gate* gate = nullptr;                 ///< null: no user is held to a rate
    InFlightBounds* in_flight = nullptr;  ///< null: calls that wait are not counted
    /// Of the built-in rules, those that fire; empty: nobody watches.
    std::function<std::vector<ports::Alert>()> alerts{};
    BuyerTokens* buyers = nullptr;            ///< null: auth.mode = none
    app::AuditDesk* audit = nullptr;          ///< null: changes are in the log alone
    bool admin_certificate_required = false;  ///< beside the token: admin.client_ca_file
};

}  // namespace firstcome::http
