// src/telemetry/trace_families.hpp - what became of the spans, for /metrics
#pragma once

#include "telemetry/families.hpp"

#include <cstdint>

namespace firstcome::telemetry {

/// Spans since the start, each counted once.
struct SpanCounts {
    std::uint64_t exported = 0;  ///< the collector took them
    std::uint64_t dropped = 0;   ///< too many waited, or too many were worth keeping
    std::uint64_t failed = 0;    ///< the collector did not take them, and tries ran out
};

void add_trace_families(Families& out, const SpanCounts& counts);

}  // namespace firstcome::telemetry
