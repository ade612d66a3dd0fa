// src/http/health_json.hpp - health as JSON, in the form of Spring Boot Actuator
#pragma once

#include "app/health_board.hpp"
#include "ports/health_indicator.hpp"

#include <span>
#include <string>

namespace firstcome::http {

/// Who asks: a stranger is told the status alone.
enum class HealthAudience : std::uint8_t { strangers, operators };

/// `{"status":"UP","components":{"db":{"status":"UP","details":{...}}},"groups":["liveness"]}`
void append_health(
    std::string& out,
    const app::HealthView& view,
    std::span<const app::HealthGroup> groups,
    HealthAudience audience
);

/// `{"status":"UP","details":{...}}`
void append_health(std::string& out, const ports::Health& health, HealthAudience audience);

}  // namespace firstcome::http
