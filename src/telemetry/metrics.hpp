// src/telemetry/metrics.hpp - counts what the lanes tell and shows it to Prometheus
#pragma once

#include "base/time.hpp"
#include "domain/event.hpp"
#include "domain/stock.hpp"
#include "ports/backlog.hpp"
#include "ports/breaker_board.hpp"
#include "ports/observer.hpp"
#include "telemetry/alert_watch.hpp"
#include "telemetry/counted.hpp"
#include "telemetry/families.hpp"
#include "telemetry/recent_orders.hpp"
#include "telemetry/trace_families.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::telemetry {

/// What is asked for at every scrape. Each may be empty: its families are then left out.
struct MetricSources {
    std::function<std::vector<domain::StockFigures>()> stock{};
    std::function<std::vector<std::size_t>()> queue_depths{};  ///< [i] is lane i
    std::function<std::uint64_t()> orders_shed{};              ///< refused before a lane took them
    std::function<HttpStats()> http{};
    std::function<std::vector<ports::BreakerFigures>()> breakers{};
    std::function<AlertStats()> alerts{};
    std::function<ports::Backlog()> backlog{};
    std::function<std::vector<RelayFigures>()> relays{};
    std::function<std::vector<RateLimitCount>()> rate_limits{};
    std::function<domain::Units()> drift_between_stores{};
    std::function<SpanCounts()> spans{};
};

struct BuildFacts {
    std::string version;
    std::string mode;  ///< `embedded`
};

/// Orders so far by outcome: `accepted`, `replayed`, a Rejection's or a LedgerError's name.
struct OutcomeCount {
    std::string_view outcome;
    std::uint64_t count = 0;
};

class EventDelays;
struct LaneCounters;

class Metrics final : public ports::Observer {
public:
    static constexpr std::size_t items_max = 1000;  ///< items with series of their own
    static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

    /// `clock` outlives this.
    Metrics(std::size_t lanes, BuildFacts build, const base::Clock& clock);
    ~Metrics() override;

    /// Thread   main, before the first scrape; what the sources use outlives the last scrape
    void attach(MetricSources sources);

    void batch_placed(unsigned shard, const ports::BatchReport& report) override;

    /// Events that have just reached the end of a stage (one of `event_stages`).
    ///
    /// Thread   any: a relay's
    void events_delivered(
        std::string_view stage, std::span<const domain::Event> events, base::WallTime now
    );

    /// Thread   any
    void invariant_violated();

    /// Thread   any
    [[nodiscard]] std::uint64_t invariant_violations() const {
        return invariant_violations_.load(std::memory_order_relaxed);
    }

    /// The text of /metrics. Reads a few small files of /proc.
    ///
    /// Thread   any; costs some milliseconds per 1,000 items
    [[nodiscard]] std::string scrape() const;

    /// Thread   any
    [[nodiscard]] std::vector<OutcomeCount> outcomes() const;
    /// Rates and latencies of the last seconds, for /api/v1/admin/stats.
    ///
    /// Thread   any
    [[nodiscard]] RecentFigures recent(base::MonotonicTime now) const;

private:
    void add_order_families(Families& out) const;
    void add_lane_families(Families& out) const;

    BuildFacts build_;
    const base::Clock& clock_;  // outlives
    MetricSources sources_;
    std::vector<std::unique_ptr<LaneCounters>> lanes_;
    std::unique_ptr<EventDelays> delays_;
    std::atomic<std::uint64_t> invariant_violations_{0};
};

}  // namespace firstcome::telemetry
