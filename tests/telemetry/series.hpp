// tests/telemetry/series.hpp - one series out of Prometheus' text
#pragma once

#include <prometheus/text_serializer.h>

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::telemetry {

/// The value of the series, as written; empty: there is no such series.
inline std::string value_in(const std::string& text, std::string_view series) {
    std::istringstream lines{text};
    const std::string wanted = std::string{series} + " ";
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(wanted)) return line.substr(wanted.size());
    }
    return "";
}

inline std::string value_in(
    const std::vector<prometheus::MetricFamily>& families, std::string_view series
) {
    return value_in(prometheus::TextSerializer{}.Serialize(families), series);
}

}  // namespace firstcome::telemetry
