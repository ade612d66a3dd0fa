// src/telemetry/series_text.hpp - finds series in the text that a scrape gives
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::telemetry {

/// The values of all series of this name that have these labels, whatever others they have, in the
/// order of the text. A line that is no series is passed over.
///
/// Source   Prometheus text format 0.0.4
[[nodiscard]] std::vector<double> values_of(
    std::string_view scrape, std::string_view name, const std::map<std::string, std::string>& labels
);

}  // namespace firstcome::telemetry
