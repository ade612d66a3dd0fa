// src/config/health_check.hpp - one line of health.checks or health.groups, read
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::config {

/// `NAME tcp HOST:PORT [timeout=1s]`
/// `NAME http URL [timeout=1s] [expect=200]`
/// `NAME metric METRIC{label="value"} OP VALUE`, OP one of < <= > >= == !=; up while it holds
struct HealthCheck {
    enum class Kind : std::uint8_t { tcp, http, metric };
    enum class Compare : std::uint8_t { less, at_most, more, at_least, equal, different };

    std::string name;  ///< 1-64 characters of [A-Za-z0-9_-]
    Kind kind = Kind::tcp;
    std::string target;  ///< `host:port`; a URL without user and password; a metric's name
    std::chrono::milliseconds timeout{1'000};
    int expected_status = 0;                    ///< http; 0: any 2xx
    std::map<std::string, std::string> labels;  ///< metric: those a series must have
    Compare compare = Compare::less;            ///< metric
    double bound = 0;                           ///< metric

    [[nodiscard]] static std::optional<HealthCheck> from(std::string_view text);
};

/// `NAME COMPONENT COMPONENT ...`
struct HealthGroup {
    std::string name;
    std::vector<std::string> components;

    [[nodiscard]] static std::optional<HealthGroup> from(std::string_view text);
};

/// `<=`
[[nodiscard]] std::string_view text_of(HealthCheck::Compare compare);
[[nodiscard]] bool holds(double value, HealthCheck::Compare compare, double bound);

}  // namespace firstcome::config
