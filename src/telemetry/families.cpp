// src/telemetry/families.cpp - metric families in the client library's own types
#include "telemetry/families.hpp"

#include "base/assert.hpp"

#include <cmath>
#include <limits>

namespace firstcome::telemetry {

namespace {

void begin(Families& out, std::string name, std::string help, prometheus::MetricType type) {
    out.push_back({std::move(name), std::move(help), type, {}});
}

prometheus::ClientMetric with_labels(Labels labels) {
    prometheus::ClientMetric metric;
    metric.label.reserve(labels.size());
    for (auto& [name, value] : labels) metric.label.push_back({std::move(name), std::move(value)});
    return metric;
}

}  // namespace

void begin_counter(Families& out, std::string name, std::string help) {
    begin(out, std::move(name), std::move(help), prometheus::MetricType::Counter);
}

void begin_gauge(Families& out, std::string name, std::string help) {
    begin(out, std::move(name), std::move(help), prometheus::MetricType::Gauge);
}

void begin_histogram(Families& out, std::string name, std::string help) {
    begin(out, std::move(name), std::move(help), prometheus::MetricType::Histogram);
}

void begin_summary(Families& out, std::string name, std::string help) {
    begin(out, std::move(name), std::move(help), prometheus::MetricType::Summary);
}

void add_value(Families& out, double value, Labels labels) {
    FC_ASSERT(!out.empty());
    auto& metric = out.back().metric.emplace_back(with_labels(std::move(labels)));
    if (out.back().type == prometheus::MetricType::Counter) {
        metric.counter.value = value;
    } else {
        metric.gauge.value = value;
    }
}

void add_histogram(
    Families& out,
    std::span<const double> bounds,
    std::span<const std::uint64_t> counts,
    double sum,
    Labels labels
) {
    FC_ASSERT(!out.empty());
    FC_ASSERT(counts.size() == bounds.size() + 1);
    auto& histogram = out.back().metric.emplace_back(with_labels(std::move(labels))).histogram;
    std::uint64_t cumulative = 0;
    for (std::size_t at = 0; at < counts.size(); ++at) {
        cumulative += counts[at];
        const bool is_last = at == bounds.size();
        histogram.bucket.push_back({
            .cumulative_count = cumulative,
            .upper_bound = is_last ? std::numeric_limits<double>::infinity() : bounds[at],
        });
    }
    histogram.sample_count = cumulative;
    histogram.sample_sum = sum;
}

void add_summary(Families& out, std::uint64_t count, double sum, Labels labels) {
    FC_ASSERT(!out.empty());
    FC_ASSERT(out.back().type == prometheus::MetricType::Summary);
    auto& summary = out.back().metric.emplace_back(with_labels(std::move(labels))).summary;
    summary.sample_count = count;
    summary.sample_sum = sum;
}

}  // namespace firstcome::telemetry
