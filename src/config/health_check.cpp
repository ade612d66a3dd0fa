// src/config/health_check.cpp - one line of health.checks or health.groups, read
#include "config/health_check.hpp"

#include "config/fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace firstcome::config {

namespace {

constexpr std::size_t name_size_max = 64;
constexpr std::chrono::milliseconds timeout_min{10};
constexpr std::chrono::milliseconds timeout_max{60'000};

struct CompareName {
    std::string_view text;
    HealthCheck::Compare compare;
};

constexpr std::array compares{
    CompareName{"<", HealthCheck::Compare::less},
    CompareName{"<=", HealthCheck::Compare::at_most},
    CompareName{">", HealthCheck::Compare::more},
    CompareName{">=", HealthCheck::Compare::at_least},
    CompareName{"==", HealthCheck::Compare::equal},
    CompareName{"!=", HealthCheck::Compare::different},
};

bool is_name(std::string_view text) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= name_size_max && std::ranges::all_of(text, good);
}

bool is_metric_name(std::string_view text) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == ':';
    };
    return !text.empty() && std::ranges::all_of(text, good);
}

template <typename Number>
std::optional<Number> number_from(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Words at spaces, but not at those in double quotes.
std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    std::size_t at = 0;
    while (true) {
        at = text.find_first_not_of(' ', at);
        if (at == std::string_view::npos) return words;
        std::size_t end = at;
        for (bool quoted = false; end < text.size() && (quoted || text[end] != ' '); ++end) {
            if (text[end] == '"') quoted = !quoted;
        }
        words.push_back(text.substr(at, end - at));
        at = end;
    }
}

bool is_host_and_port(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    if (text.find('/') != std::string_view::npos) return false;
    const auto port = number_from<unsigned>(text.substr(colon + 1));
    return port && *port >= 1 && *port <= 65'535;
}

bool is_url(std::string_view text) {
    const bool known = text.starts_with("http://") || text.starts_with("https://");
    // No password where print-config shows it.
    return known && text.find('@') == std::string_view::npos;
}

/// `{a="b",c="d"}`; a value holds no quote.
std::optional<std::map<std::string, std::string>> labels_from(std::string_view text) {
    std::map<std::string, std::string> labels;
    if (text.empty()) return labels;
    if (!text.starts_with('{') || !text.ends_with('}')) return std::nullopt;
    text = text.substr(1, text.size() - 2);
    while (!text.empty()) {
        const auto open = text.find("=\"");
        if (open == std::string_view::npos) return std::nullopt;
        const auto close = text.find('"', open + 2);
        if (close == std::string_view::npos || !is_metric_name(text.substr(0, open))) {
            return std::nullopt;
        }
        labels.emplace(text.substr(0, open), text.substr(open + 2, close - open - 2));
        text.remove_prefix(close + 1);
        if (text.empty()) return labels;
        if (!text.starts_with(',') || text.size() == 1) return std::nullopt;
        text.remove_prefix(1);
    }
    return labels;
}

bool take_option(std::string_view word, HealthCheck& check) {
    const auto equals = word.find('=');
    const std::string_view value = equals == std::string_view::npos ? "" : word.substr(equals + 1);
    const std::string_view key = word.substr(0, equals);
    if (key == "timeout") {
        const auto timeout = duration_from(value);
        if (!timeout || *timeout < timeout_min || *timeout > timeout_max) return false;
        check.timeout = *timeout;
        return true;
    }
    if (key == "expect" && check.kind == HealthCheck::Kind::http) {
        const auto status = number_from<int>(value);
        if (!status || *status < 100 || *status > 599) return false;
        check.expected_status = *status;
        return true;
    }
    return false;
}

bool take_metric(const std::vector<std::string_view>& words, HealthCheck& check) {
    if (words.size() != 5) return false;
    const auto brace = std::min(words[2].find('{'), words[2].size());
    check.target = words[2].substr(0, brace);
    auto labels = labels_from(words[2].substr(brace));
    const auto* compare = std::ranges::find(compares, words[3], &CompareName::text);
    const auto bound = number_from<double>(words[4]);
    if (!is_metric_name(check.target) || !labels || compare == compares.end() || !bound) {
        return false;
    }
    check.labels = std::move(*labels);
    check.compare = compare->compare;
    check.bound = *bound;
    return true;
}

}  // namespace

std::optional<HealthCheck> HealthCheck::from(std::string_view text) {
    const auto words = words_of(text);
    if (words.size() < 3 || !is_name(words[0])) return std::nullopt;
    HealthCheck check;
    check.name = words[0];
    if (words[1] == "metric") {
        check.kind = Kind::metric;
        return take_metric(words, check) ? std::optional{check} : std::nullopt;
    }
    const bool is_http = words[1] == "http";
    if (!is_http && words[1] != "tcp") return std::nullopt;
    check.kind = is_http ? Kind::http : Kind::tcp;
    check.target = words[2];
    if (is_http ? !is_url(check.target) : !is_host_and_port(check.target)) return std::nullopt;
    for (std::size_t at = 3; at < words.size(); ++at) {
        if (!take_option(words[at], check)) return std::nullopt;
    }
    return check;
}

std::optional<HealthGroup> HealthGroup::from(std::string_view text) {
    const auto words = words_of(text);
    if (words.size() < 2 || !std::ranges::all_of(words, is_name)) return std::nullopt;
    HealthGroup group;
    group.name = words[0];
    group.components.assign(words.begin() + 1, words.end());
    return group;
}

std::string_view text_of(HealthCheck::Compare compare) {
    return std::ranges::find(compares, compare, &CompareName::compare)->text;
}

bool holds(double value, HealthCheck::Compare compare, double bound) {
    switch (compare) {
        case HealthCheck::Compare::less: return value < bound;
        case HealthCheck::Compare::at_most: return value <= bound;
        case HealthCheck::Compare::more: return value > bound;
        case HealthCheck::Compare::at_least: return value >= bound;
        case HealthCheck::Compare::equal: return value == bound;
        case HealthCheck::Compare::different: return value != bound;
    }
    return false;
}

}  // namespace firstcome::config
