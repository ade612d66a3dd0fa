// src/wiring/store_options.hpp - how Redis and PostgreSQL are reached, from the configuration
#pragma once

#include "adapters/postgres/connection.hpp"
#include "adapters/redis/connection.hpp"
#include "config/config.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace firstcome::wiring {

/// Without a shard's key: a connection to one shard sets it.
///
/// Errors   a sentence for the operator: which option, and what is wrong with it
[[nodiscard]] std::expected<redis::ConnectionOptions, std::string> redis_options(
    const config::Config& config
);

/// `name` tells the sessions apart in pg_stat_activity.
[[nodiscard]] postgres::ConnectionOptions postgres_options(
    const config::Config& config, std::string_view name
);

}  // namespace firstcome::wiring
