// src/wiring/reload.hpp - from a configuration that was read again to one that may replace ours
#pragma once

#include "config/config.hpp"
#include "telemetry/log.hpp"

#include <expected>
#include <functional>
#include <string>
#include <vector>

namespace firstcome::wiring {

/// Reads file, environment and flags again, as at the start.
using ReadConfig = std::function<std::expected<config::Loaded, config::ConfigErrors>()>;

/// What is to be in force now.
///
/// Errors   why it may not be, a sentence each, without values: mistakes in it, what this version
///          refuses, and fields that need a restart
[[nodiscard]] std::expected<config::Config, std::vector<std::string>> next_config(
    const config::Config& now, const ReadConfig& read
);

[[nodiscard]] log::Level log_level_of(config::LogLevel level);

}  // namespace firstcome::wiring
