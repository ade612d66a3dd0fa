// src/wiring/backend.hpp - what a mode stands on: who decides, where orders are found, what runs
// behind
#pragma once

#include "app/dead_letter_desk.hpp"
#include "app/order_lane.hpp"
#include "app/relay.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "ports/audit_log.hpp"
#include "ports/backlog.hpp"
#include "ports/breaker_board.hpp"
#include "ports/health_indicator.hpp"
#include "ports/limit_share.hpp"
#include "ports/order_ledger.hpp"
#include "ports/order_store.hpp"
#include "ports/store_drift.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::wiring {

/// Told of events that have just reached the end of a stage: `orders` (PostgreSQL), `webhook`.
///
/// Thread   the stage's relays
using DeliveredAt = std::function<
    void(std::string_view stage, std::span<const domain::Event> delivered, base::WallTime now)>;

struct NamedRelay {
    std::string_view stage;  ///< `orders`, `webhook`
    const app::Relay* relay = nullptr;
};

class Tracing;

/// Everything below the lanes, as the front needs it. Called in this order: open, ledgers and
/// stores, start, drain, rest.
///
/// Thread   main
class Backend {
public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;

    template <typename T>
    using Result = std::expected<T, std::string>;  ///< the error tells the operator what to change

    [[nodiscard]] virtual Result<void> open() = 0;

    /// One per lane; lane i owns the i-th.
    [[nodiscard]] virtual std::vector<ports::OrderLedger*> ledgers() = 0;

    /// One per reader thread.
    [[nodiscard]] virtual Result<std::vector<std::unique_ptr<ports::OrderStore>>> open_stores() = 0;

    /// What ids and keys are hashed with.
    [[nodiscard]] virtual const base::KeyedHash& hash() const = 0;

    /// The lanes take orders from now on: starts what runs behind them.
    [[nodiscard]] virtual Result<void> start(std::span<app::OrderLane* const> lanes) = 0;

    /// Who looks after what could not be delivered; null: nothing is delivered to anybody.
    [[nodiscard]] virtual app::DeadLetterDesk* desk() = 0;

    [[nodiscard]] virtual ports::BreakerBoard& breakers() = 0;

    /// Of what this mode stands on: `redis`, `db`. Each waits for its server, within a deadline.
    ///
    /// Thread   main, once started; asked by `fc-health`
    [[nodiscard]] virtual std::vector<std::unique_ptr<ports::HealthIndicator>> health_indicators(
    ) = 0;

    /// What waits and what was refused, as last known.
    ///
    /// Thread   any, once started; never waits for a store
    [[nodiscard]] virtual ports::Backlog backlog() const = 0;

    /// All relays of this node, for what they count.
    ///
    /// Thread   any, once started
    [[nodiscard]] virtual std::vector<NamedRelay> relays() const = 0;

    /// What stands still until somebody mends it, a plain sentence each: what, where, what to do.
    /// Empty: nothing. For health, the log and an alert.
    ///
    /// Thread   any, once started; never waits for a store
    [[nodiscard]] virtual std::vector<std::string> troubles() const = 0;

    /// Items of which the two stores say different things, in the shards that this node leads, as
    /// found at the last look.
    ///
    /// Thread   any, once started
    [[nodiscard]] virtual std::vector<ports::StoreDrift> drifts() const { return {}; }

    /// How this node's clients are made known to the others; null: it is alone.
    [[nodiscard]] virtual std::unique_ptr<ports::LimitShare> open_limit_share() { return nullptr; }

    /// Whether another node is known to lead the lane. False while nobody can say, because
    /// PostgreSQL is away, where the lead is asked for. Embedded: never.
    ///
    /// Thread   any, once started
    [[nodiscard]] virtual bool follows(unsigned lane) const = 0;

    /// Where changes by hand are written down.
    [[nodiscard]] virtual Result<std::unique_ptr<ports::AuditLog>> open_audit() = 0;

    /// The lanes have ended: hands on what waits, until the deadline. Returns what is left.
    [[nodiscard]] virtual std::uint64_t drain(base::MonotonicTime deadline) = 0;

    /// Nothing reads or writes any more: leaves everything as the next start likes it best.
    virtual void rest() = 0;
};

/// The embedded mode: SQLite in a directory of this machine. `tracing` has started by `open`.
[[nodiscard]] std::unique_ptr<Backend> make_embedded(
    const config::Config& config, const base::Clock& clock, Tracing& tracing, DeliveredAt delivered
);

/// The distributed mode: Redis and PostgreSQL. `drifted` is told, some times a second, by how many
/// units the two differ in the shards that this node leads.
[[nodiscard]] std::unique_ptr<Backend> make_distributed(
    const config::Config& config,
    const base::Clock& clock,
    Tracing& tracing,
    std::function<void(domain::Units)> drifted,
    DeliveredAt delivered
);

/// Writes why, and ends the process at once: going on could make a promise false.
[[noreturn]] void stop_at_once(std::string_view why);

}  // namespace firstcome::wiring
