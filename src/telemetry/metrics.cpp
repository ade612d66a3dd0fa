// src/telemetry/metrics.cpp - counts a batch, and writes all families down when asked
#include "telemetry/metrics.hpp"

#include "base/assert.hpp"
#include "telemetry/alert_families.hpp"
#include "telemetry/breaker_families.hpp"
#include "telemetry/delivery_families.hpp"
#include "telemetry/event_delays.hpp"
#include "telemetry/families.hpp"
#include "telemetry/http_families.hpp"
#include "telemetry/lane_counters.hpp"
#include "telemetry/log.hpp"
#include "telemetry/stock_families.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>

namespace firstcome::telemetry {

namespace {

constexpr double nanoseconds_per_second = 1e9;

std::uint64_t nanoseconds(std::chrono::nanoseconds time) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
}

double as_double(std::integral auto number) {
    return static_cast<double>(number);
}

/// The lanes' histograms of one kind as one; `unit` is what a value is divided by.
template <std::size_t Bounds>
void add_lane_histogram(
    Families& out,
    std::span<const std::unique_ptr<LaneCounters>> lanes,
    LaneHistogram<Bounds> LaneCounters::*kind,
    const std::array<std::uint64_t, Bounds>& bounds,
    double unit
) {
    std::array<double, Bounds> upper{};
    std::array<std::uint64_t, Bounds + 1> counts{};
    double sum = 0;
    for (std::size_t at = 0; at < Bounds; ++at) upper[at] = as_double(bounds[at]) / unit;
    for (const auto& lane : lanes) {
        const auto& histogram = (*lane).*kind;
        for (std::size_t at = 0; at <= Bounds; ++at) counts[at] += histogram.count(at);
        sum += as_double(histogram.sum()) / unit;
    }
    add_histogram(out, upper, counts, sum);
}

}  // namespace

Metrics::Metrics(std::size_t lanes, BuildFacts build, const base::Clock& clock)
    : build_(std::move(build)), clock_(clock), delays_(std::make_unique<EventDelays>()) {
    for (std::size_t at = 0; at < lanes; ++at) lanes_.push_back(std::make_unique<LaneCounters>());
}

Metrics::~Metrics() = default;

void Metrics::attach(MetricSources sources) {
    sources_ = std::move(sources);
}

void Metrics::batch_placed(unsigned shard, const ports::BatchReport& report) {
    FC_ASSERT(shard < lanes_.size());
    LaneCounters& lane = *lanes_[shard];
    lane.batch_size.add(report.size);
    if (!report.result) {
        lane.outcomes[index_of(report.result.error())].add(report.size);
        return;
    }
    // Counted here first, so that a batch of a thousand touches each counter once.
    std::array<std::uint64_t, outcome_count> counts{};
    for (const auto& outcome : report.outcomes) {
        if (const auto* rejected = std::get_if<domain::Rejected>(&outcome)) {
            ++counts[index_of(rejected->why)];
        } else {
            const bool replayed = std::get_if<domain::Accepted>(&outcome)->replayed;
            ++counts[replayed ? outcome_replayed : outcome_accepted];
        }
    }
    for (std::size_t at = 0; at < outcome_count; ++at) {
        if (counts[at] > 0) lane.outcomes[at].add(counts[at]);
    }
    const auto latency = report.queue_wait_oldest + report.place_time;
    lane.decision.add(nanoseconds(latency), report.outcomes.size());
    const std::uint64_t accepted = counts[outcome_accepted];
    if (accepted == 0) return;
    lane.commit.add(nanoseconds(report.place_time));
    lane.durable.add(nanoseconds(latency), accepted);
    lane.recent.add(clock_.monotonic(), accepted, latency);
}

void Metrics::events_delivered(
    std::string_view stage, std::span<const domain::Event> events, base::WallTime now
) {
    delays_->add(stage, events, now);
}

void Metrics::invariant_violated() {
    invariant_violations_.fetch_add(1, std::memory_order_relaxed);
}

std::vector<OutcomeCount> Metrics::outcomes() const {
    std::vector<OutcomeCount> out{{"accepted", 0}, {"replayed", 0}};
    for (const auto why : domain::rejections) out.push_back({domain::name(why), 0});
    for (const auto error : ports::ledger_errors) out.push_back({ports::name(error), 0});
    FC_ASSERT(out.size() == outcome_count);
    for (const auto& lane : lanes_) {
        for (std::size_t at = 0; at < outcome_count; ++at) {
            out[at].count += lane->outcomes[at].value();
        }
    }
    return out;
}

RecentFigures Metrics::recent(base::MonotonicTime now) const {
    std::vector<const RecentOrders*> lanes;
    for (const auto& lane : lanes_) lanes.push_back(&lane->recent);
    return RecentOrders::figures(lanes, now);
}

void Metrics::add_order_families(Families& out) const {
    const auto counts = outcomes();
    begin_counter(
        out, "firstcome_orders_total", "Orders that reached a lane, by what became of them."
    );
    for (const auto& [outcome, count] : counts) {
        add_value(out, as_double(count), {{"outcome", std::string{outcome}}});
    }
    begin_counter(
        out, "firstcome_idempotency_total", "Orders that came with a key already known, by result."
    );
    const std::pair<const char*, std::size_t> results[] = {
        {"replayed", outcome_replayed},
        {"reused", index_of(domain::Rejection::idempotency_key_reused)},
        {"in_progress", index_of(domain::Rejection::idempotency_in_progress)},
    };
    for (const auto& [result, index] : results) {
        add_value(out, as_double(counts[index].count), {{"result", result}});
    }
    if (sources_.orders_shed) {
        begin_counter(
            out,
            "firstcome_orders_shed_total",
            "Orders told to wait because a lane's line was full or the service was going down."
        );
        add_value(out, as_double(sources_.orders_shed()));
    }
}

void Metrics::add_lane_families(Families& out) const {
    const auto add_times = [&](LaneHistogram<time_bounds.size()> LaneCounters::*kind) {
        add_lane_histogram(out, lanes_, kind, time_bounds, nanoseconds_per_second);
    };
    begin_histogram(
        out,
        "firstcome_order_decision_seconds",
        "From joining a lane's line to a final answer, every decided order; orders of one batch "
        "count with the wait of its first."
    );
    add_times(&LaneCounters::decision);
    begin_histogram(
        out,
        "firstcome_order_durable_seconds",
        "From joining a lane's line to being durable, newly accepted orders only; orders of one "
        "batch count with the wait of its first."
    );
    add_times(&LaneCounters::durable);
    begin_histogram(
        out,
        "firstcome_commit_seconds",
        "Deciding and syncing one batch with at least one newly accepted order."
    );
    add_times(&LaneCounters::commit);
    begin_histogram(out, "firstcome_lane_batch_size", "Orders in a batch.");
    add_lane_histogram(out, lanes_, &LaneCounters::batch_size, size_bounds, 1);
    if (!sources_.queue_depths) return;
    begin_gauge(out, "firstcome_lane_queue_depth", "Orders that wait in a lane's line.");
    const auto depths = sources_.queue_depths();
    for (std::size_t at = 0; at < depths.size(); ++at) {
        add_value(out, as_double(depths[at]), {{"lane", std::to_string(at)}});
    }
}

std::string Metrics::scrape() const {
    Families out;
    add_order_families(out);
    add_lane_families(out);
    if (sources_.stock) {
        const auto drift = sources_.drift_between_stores ? sources_.drift_between_stores() : 0;
        add_stock_families(out, sources_.stock(), items_max, drift);
    }
    begin_counter(
        out, "firstcome_invariant_violations_total", "Broken promises found while running."
    );
    add_value(out, as_double(invariant_violations_.load(std::memory_order_relaxed)));
    add_backlog_families(out, sources_.backlog ? sources_.backlog() : ports::Backlog{});
    delays_->add_family(out);
    add_relay_families(out, sources_.relays ? sources_.relays() : std::vector<RelayFigures>{});
    if (sources_.http) add_http_families(out, sources_.http());
    if (sources_.rate_limits) add_rate_limit_family(out, sources_.rate_limits());
    if (sources_.breakers) add_breaker_families(out, sources_.breakers());
    if (sources_.spans) add_trace_families(out, sources_.spans());
    if (sources_.alerts) add_alert_families(out, sources_.alerts());
    begin_counter(
        out, "firstcome_log_lines_dropped_total", "Log lines lost because too many waited."
    );
    add_value(out, as_double(log::dropped()));
    begin_gauge(out, "firstcome_build_info", "Always 1; the labels tell what is running.");
    add_value(out, 1, {{"version", build_.version}, {"mode", build_.mode}});
    add_process_families(out);
    return prometheus::TextSerializer{}.Serialize(out);
}

}  // namespace firstcome::telemetry
