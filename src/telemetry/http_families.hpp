// src/telemetry/http_families.hpp - requests, connections and rate limits as metrics
#pragma once

#include "telemetry/counted.hpp"
#include "telemetry/families.hpp"

#include <span>

namespace firstcome::telemetry {

/// Source   Spring Boot Actuator, http.server.requests
void add_http_families(Families& out, const HttpStats& http);

/// firstcome_ratelimit_total; without rows: nothing was ever limited.
void add_rate_limit_family(Families& out, std::span<const RateLimitCount> rows);

}  // namespace firstcome::telemetry
