// src/telemetry/trace_families.cpp - what became of the spans, for /metrics
#include "telemetry/trace_families.hpp"

#include <utility>

namespace firstcome::telemetry {

void add_trace_families(Families& out, const SpanCounts& counts) {
    begin_counter(
        out, "firstcome_trace_spans_total", "Spans made for a collector, by what became of them."
    );
    const std::pair<const char*, std::uint64_t> results[] = {
        {"exported", counts.exported}, {"dropped", counts.dropped}, {"failed", counts.failed}};
    for (const auto& [result, count] : results) {
        add_value(out, static_cast<double>(count), {{"result", result}});
    }
}

}  // namespace firstcome::telemetry
