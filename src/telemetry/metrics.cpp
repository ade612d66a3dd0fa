// src/telemetry/metrics.cpp - counts a batch, and writes all families down when asked
#include "telemetry/metrics.hpp"

#include "base/assert.hpp"
#include "telemetry/alert_families.hpp"
#include "telemetry/breaker_families.hpp"
#include "telemetry/families.hpp"
#include "telemetry/lane_counters.hpp"
#include "telemetry/log.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cmath>

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

void add_stock_families(Families& out, const std::vector<domain::StockFigures>& items) {
    const std::size_t shown = std::min(items.size(), Metrics::items_max);
    begin_gauge(
        out,
        "firstcome_stock_units",
        "Units of an item: initial + restocked = remaining + sold + compensating."
    );
    for (const auto& figures : std::span{items}.first(shown)) {
        const std::pair<const char*, domain::Units> states[] = {
            {"initial", figures.initial},
            {"restocked", figures.restocked},
            {"remaining", figures.remaining},
            {"sold", figures.sold},
            {"compensating", figures.compensating},
        };
        for (const auto& [state, units] : states) {
            const std::string item{figures.item.text()};
            add_value(out, as_double(units), {{"item", item}, {"state", state}});
        }
    }
    begin_gauge(
        out, "firstcome_stock_ratio", "Remaining units of an item as a part of all it ever had."
    );
    for (const auto& figures : std::span{items}.first(shown)) {
        const double total = as_double(figures.total());
        const double ratio = total > 0 ? as_double(figures.remaining) / total : 0;
        add_value(out, ratio, {{"item", std::string{figures.item.text()}}});
    }
    begin_gauge(
        out,
        "firstcome_stock_items_unlisted",
        "Items beyond the 1,000 that have series of their own."
    );
    add_value(out, as_double(items.size() - shown));

    double drift = 0;
    for (const auto& figures : items) drift += std::abs(as_double(figures.drift()));
    begin_gauge(
        out,
        "firstcome_conservation_drift_units",
        "Units by which conservation is off, over all items; anything but 0 is a broken promise."
    );
    add_value(out, drift);
}

/// Source   Spring Boot Actuator, http.server.requests
const char* http_outcome(int status) {
    if (status < 200) return "INFORMATIONAL";
    if (status < 300) return "SUCCESS";
    if (status < 400) return "REDIRECTION";
    if (status < 500) return "CLIENT_ERROR";
    return "SERVER_ERROR";
}

void add_http_families(Families& out, const HttpStats& http) {
    begin_histogram(
        out,
        "http_server_requests_seconds",
        "From a request's last byte to its answer being handed to the system."
    );
    for (const auto& row : http.requests) {
        add_histogram(
            out,
            http.bounds_seconds,
            row.buckets,
            row.sum_seconds,
            {{"method", row.method},
             {"uri", row.route},
             {"status", std::to_string(row.status)},
             {"outcome", http_outcome(row.status)}}
        );
    }
    begin_gauge(out, "firstcome_http_connections", "Open connections.");
    add_value(out, as_double(http.connections_open));
    begin_counter(out, "firstcome_http_connections_accepted_total", "Connections ever accepted.");
    add_value(out, as_double(http.connections_total));
    begin_counter(
        out,
        "firstcome_http_connections_refused_total",
        "Connections closed at once because server.connections_max were open."
    );
    add_value(out, as_double(http.connections_refused_total));
}

}  // namespace

Metrics::Metrics(std::size_t lanes, BuildFacts build, const base::Clock& clock)
    : build_(std::move(build)), clock_(clock) {
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

std::string Metrics::scrape() const {
    Families out;
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
        "batch "
        "count with the wait of its first."
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

    begin_counter(
        out, "firstcome_invariant_violations_total", "Broken promises found while running."
    );
    add_value(out, as_double(invariant_violations_.load(std::memory_order_relaxed)));
    if (sources_.queue_depths) {
        begin_gauge(out, "firstcome_lane_queue_depth", "Orders that wait in a lane's line.");
        const auto depths = sources_.queue_depths();
        for (std::size_t at = 0; at < depths.size(); ++at) {
            add_value(out, as_double(depths[at]), {{"lane", std::to_string(at)}});
        }
    }
    if (sources_.orders_shed) {
        begin_counter(
            out,
            "firstcome_orders_shed_total",
            "Orders told to wait because a lane's line was full or the service was going down."
        );
        add_value(out, as_double(sources_.orders_shed()));
    }
    if (sources_.stock) add_stock_families(out, sources_.stock());
    if (sources_.http) add_http_families(out, sources_.http());
    if (sources_.breakers) add_breaker_families(out, sources_.breakers());
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
