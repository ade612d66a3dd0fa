// src/telemetry/series_text.cpp - finds series in the text that a scrape gives
#include "telemetry/series_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace firstcome::telemetry {

namespace {

using Labels = std::map<std::string, std::string>;

/// Reads `a="b",c="d"}` and takes it off the front.
std::optional<Labels> take_labels(std::string_view& text) {
    Labels labels;
    while (!text.starts_with('}')) {
        const auto open = text.find("=\"");
        if (open == std::string_view::npos) return std::nullopt;
        std::string value;
        std::size_t at = open + 2;
        for (; at < text.size() && text[at] != '"'; ++at) {
            const bool escaped = text[at] == '\\' && at + 1 < text.size();
            if (escaped) ++at;
            value += escaped && text[at] == 'n' ? '\n' : text[at];
        }
        if (at == text.size()) return std::nullopt;
        labels.emplace(text.substr(0, open), std::move(value));
        text.remove_prefix(at + 1);
        if (text.starts_with(',')) text.remove_prefix(1);
    }
    text.remove_prefix(1);
    return labels;
}

std::optional<double> number(std::string_view text) {
    if (text.starts_with("+Inf")) return std::numeric_limits<double>::infinity();
    if (text.starts_with("-Inf")) return -std::numeric_limits<double>::infinity();
    if (text.starts_with("NaN") || text.starts_with("Nan")) return std::nan("");
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data()) return std::nullopt;
    return value;
}

bool has_all(const Labels& labels, const Labels& wanted) {
    for (const auto& [name, value] : wanted) {
        const auto found = labels.find(name);
        if (found == labels.end() || found->second != value) return false;
    }
    return true;
}

std::optional<double> value_of(std::string_view line, std::string_view name, const Labels& wanted) {
    if (!line.starts_with(name)) return std::nullopt;
    line.remove_prefix(name.size());
    Labels labels;
    if (line.starts_with('{')) {
        line.remove_prefix(1);
        auto read = take_labels(line);
        if (!read) return std::nullopt;
        labels = std::move(*read);
    }
    if (!line.starts_with(' ') || !has_all(labels, wanted)) return std::nullopt;
    return number(line.substr(1));
}

}  // namespace

std::vector<double> values_of(
    std::string_view scrape, std::string_view name, const std::map<std::string, std::string>& labels
) {
    std::vector<double> values;
    while (!scrape.empty()) {
        const auto end = std::min(scrape.find('\n'), scrape.size());
        if (const auto value = value_of(scrape.substr(0, end), name, labels)) {
            values.push_back(*value);
        }
        scrape.remove_prefix(std::min(end + 1, scrape.size()));
    }
    return values;
}

}  // namespace firstcome::telemetry
