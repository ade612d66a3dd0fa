// src/ports/health_indicator.cpp - the spellings of health, and what is worse
#include "ports/health_indicator.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace firstcome::ports {

std::string_view name(HealthStatus status) {
    switch (status) {
        case HealthStatus::down: return "DOWN";
        case HealthStatus::out_of_service: return "OUT_OF_SERVICE";
        case HealthStatus::up: return "UP";
        case HealthStatus::unknown: return "UNKNOWN";
    }
    FC_UNREACHABLE();
}

HealthStatus worse(HealthStatus a, HealthStatus b) {
    return std::min(a, b);
}

Health health_because(HealthStatus status, std::string reason) {
    // A library's error may have several lines; a reason is one.
    std::ranges::replace_if(
        reason, [](unsigned char c) { return c < 0x20; }, ' '
    );
    Health health{.status = status, .details = {}};
    health.details.push_back({.name = "reason", .value = std::move(reason)});
    return health;
}

}  // namespace firstcome::ports
