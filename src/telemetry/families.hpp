// src/telemetry/families.hpp - short ways to write a metric family down
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::telemetry {

using Labels = std::vector<std::pair<std::string, std::string>>;
using Families = std::vector<prometheus::MetricFamily>;

/// Starts a family; the series follow.
void begin_counter(Families& out, std::string name, std::string help);
void begin_gauge(Families& out, std::string name, std::string help);
void begin_histogram(Families& out, std::string name, std::string help);
void begin_summary(Families& out, std::string name, std::string help);

/// Adds a series to the family begun last.
void add_value(Families& out, double value, Labels labels = {});

/// `counts` has one more than `bounds`, for what lies above them all; not cumulative.
void add_histogram(
    Families& out,
    std::span<const double> bounds,
    std::span<const std::uint64_t> counts,
    double sum,
    Labels labels = {}
);

/// A summary without quantiles: how often, and how much in all.
void add_summary(Families& out, std::uint64_t count, double sum, Labels labels);

/// process_*: of this process, as the kernel tells.
void add_process_families(Families& out);

}  // namespace firstcome::telemetry
