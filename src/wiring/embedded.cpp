// src/wiring/embedded.cpp - the embedded mode: lanes over SQLite files in a directory of their own
#include "adapters/sqlite/audit_log.hpp"
#include "adapters/sqlite/data_dir.hpp"
#include "adapters/sqlite/dead_letters.hpp"
#include "adapters/sqlite/event_outbox.hpp"
#include "adapters/sqlite/ledger.hpp"
#include "adapters/sqlite/store.hpp"
#include "base/assert.hpp"
#include "base/entropy.hpp"
#include "telemetry/log.hpp"
#include "wiring/backend.hpp"
#include "wiring/breakers.hpp"
#include "wiring/events.hpp"
#include "wiring/low_stock.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::wiring {

namespace {

class Embedded final : public Backend {
public:
    Embedded(
        const config::Config& config,
        const base::Clock& clock,
        Tracing& tracing,
        DeliveredAt delivered
    )
        : config_(config),
          clock_(clock),
          breakers_(config.breaker, clock),
          events_(config, clock, breakers_, tracing, std::move(delivered)) {}

    [[nodiscard]] Result<void> open() override;
    [[nodiscard]] std::vector<ports::OrderLedger*> ledgers() override;
    [[nodiscard]] Result<std::vector<std::unique_ptr<ports::OrderStore>>> open_stores() override;

    [[nodiscard]] const base::KeyedHash& hash() const override { return *hash_; }

    [[nodiscard]] Result<void> start(std::span<app::OrderLane* const> lanes) override;

    [[nodiscard]] app::DeadLetterDesk* desk() override { return events_.desk(); }

    [[nodiscard]] ports::BreakerBoard& breakers() override { return breakers_.board(); }

    [[nodiscard]] std::vector<std::unique_ptr<ports::HealthIndicator>> health_indicators(
    ) override {
        return {};  // the disk is looked at in both modes
    }

    [[nodiscard]] ports::Backlog backlog() const override {
        ports::Backlog backlog;
        events_.add_to(backlog);
        return backlog;
    }

    [[nodiscard]] std::vector<NamedRelay> relays() const override { return events_.relays(); }

    [[nodiscard]] std::vector<std::string> troubles() const override { return {}; }

    [[nodiscard]] bool follows(unsigned) const override { return false; }

    [[nodiscard]] Result<std::unique_ptr<ports::AuditLog>> open_audit() override {
        return sqlite::AuditLog::open(*dir_);
    }

    [[nodiscard]] std::uint64_t drain(base::MonotonicTime deadline) override {
        return events_.drain(deadline);
    }

    void rest() override;

private:
    const config::Config& config_;  // outlives
    const base::Clock& clock_;      // outlives
    base::SystemEntropy entropy_;   // main's; each ledger has its own
    std::optional<sqlite::DataDir> dir_;
    std::optional<base::KeyedHash> hash_;
    std::vector<std::unique_ptr<base::SystemEntropy>> lane_entropy_;
    std::vector<std::unique_ptr<sqlite::Ledger>> ledgers_;
    Breakers breakers_;
    Events events_;
};

Backend::Result<void> Embedded::open() {
    auto dir = sqlite::DataDir::open(config_.data.dir, config_.lane.count, entropy_);
    if (!dir) return std::unexpected(std::move(dir.error()));
    dir_.emplace(std::move(*dir));
    hash_.emplace(dir_->secret());
    const auto started = clock_.monotonic();
    std::uint64_t orders = 0;
    for (std::size_t lane = 0; lane < dir_->lanes(); ++lane) {
        lane_entropy_.push_back(std::make_unique<base::SystemEntropy>());
        sqlite::Ledger::Options options;
        options.lane = lane;
        options.key_ttl = std::chrono::duration_cast<std::chrono::seconds>(config_.idempotency.ttl);
        options.keeps_traces = events_.has_webhook();
        options.fatal = stop_at_once;
        options.progress = [lane](std::uint64_t read) {
            log::info("recovering", {{"lane", lane}, {"orders", read}});
        };
        auto ledger =
            sqlite::Ledger::open(std::move(options), *dir_, clock_, *lane_entropy_.back(), *hash_);
        if (!ledger) return std::unexpected(ledger.error());
        orders += (*ledger)->orders_recovered();
        ledgers_.push_back(std::move(*ledger));
    }
    const auto took =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.monotonic() - started);
    log::info("recovered", {{"orders", orders}, {"ms", took.count()}});
    return {};
}

std::vector<ports::OrderLedger*> Embedded::ledgers() {
    std::vector<ports::OrderLedger*> all;
    for (const auto& ledger : ledgers_) all.push_back(ledger.get());
    return all;
}

Backend::Result<std::vector<std::unique_ptr<ports::OrderStore>>> Embedded::open_stores() {
    std::vector<std::unique_ptr<ports::OrderStore>> stores;
    for (unsigned reader = 0; reader < config_.read.threads; ++reader) {
        std::vector<const sqlite::UserChains*> chains;
        for (const auto& ledger : ledgers_) chains.push_back(&ledger->chains());
        auto store = sqlite::Store::open(*dir_, std::move(chains), *hash_);
        if (!store) return std::unexpected(store.error());
        stores.push_back(std::move(*store));
    }
    return stores;
}

// Events are read from the lanes' own files, so without a webhook there is nothing to run.
Backend::Result<void> Embedded::start(std::span<app::OrderLane* const> lanes) {
    if (auto marked = dir_->mark_running(); !marked || !events_.has_webhook()) return marked;
    auto open_letters = [this]() -> Result<std::unique_ptr<ports::DeadLetters>> {
        return sqlite::DeadLetters::open(dir_->path(), stop_at_once);
    };
    auto open_outbox = [this]() -> Result<std::unique_ptr<ports::Outbox>> {
        return sqlite::EventOutbox::open(
            {.from_beginning = config_.webhook.from_beginning,
             .stock_low = low_stock_of(config_.alerts)},
            *dir_,
            clock_,
            *hash_
        );
    };
    auto opened = events_.open(open_letters, open_outbox, release_on({lanes.begin(), lanes.end()}));
    if (opened) events_.start();
    return opened;
}

// The orders are durable already; this only makes the next start quicker and the files plain.
void Embedded::rest() {
    for (const auto& ledger : ledgers_) {
        if (auto rested = ledger->rest(); !rested) {
            return log::warn("a log was left for the next start", {{"reason", rested.error()}});
        }
    }
    if (auto marked = dir_->mark_stopped(); !marked) {
        log::warn("the next start will look for logs", {{"reason", marked.error()}});
    }
}

}  // namespace

std::unique_ptr<Backend> make_embedded(
    const config::Config& config, const base::Clock& clock, Tracing& tracing, DeliveredAt delivered
) {
    return std::make_unique<Embedded>(config, clock, tracing, std::move(delivered));
}

}  // namespace firstcome::wiring
