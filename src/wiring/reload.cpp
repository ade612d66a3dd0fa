// src/wiring/reload.cpp - from a configuration that was read again to one that may replace ours
#include "wiring/reload.hpp"

#include "base/assert.hpp"

#include <utility>

namespace firstcome::wiring {

std::expected<config::Config, std::vector<std::string>> next_config(
    const config::Config& now, const ReadConfig& read
) {
    std::vector<std::string> reasons;
    auto loaded = read();
    if (!loaded) {
        for (const auto& error : loaded.error()) reasons.push_back(error.text());
        return std::unexpected(std::move(reasons));
    }
    for (std::string& refusal : config::refusals(loaded->config)) {
        reasons.push_back(std::move(refusal));
    }
    for (const std::string& key : config::restart_needed(now, loaded->config)) {
        reasons.push_back(key + " changes with a restart only");
    }
    if (!reasons.empty()) return std::unexpected(std::move(reasons));
    return std::move(loaded->config);
}

log::Level log_level_of(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::trace: return log::Level::trace;
        case config::LogLevel::debug: return log::Level::debug;
        case config::LogLevel::info: return log::Level::info;
        case config::LogLevel::warn: return log::Level::warn;
        case config::LogLevel::error: return log::Level::error;
        case config::LogLevel::off: return log::Level::off;
    }
    FC_UNREACHABLE();
}

}  // namespace firstcome::wiring
