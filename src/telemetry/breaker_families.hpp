// src/telemetry/breaker_families.hpp - the circuit breakers as Resilience4j's metrics show them
#pragma once

#include "ports/breaker_board.hpp"
#include "telemetry/families.hpp"

#include <span>

namespace firstcome::telemetry {

/// Source   Resilience4j, resilience4j-micrometer: names, labels and units
void add_breaker_families(Families& out, std::span<const ports::BreakerFigures> breakers);

}  // namespace firstcome::telemetry
