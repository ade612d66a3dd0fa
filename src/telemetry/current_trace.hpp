// src/telemetry/current_trace.hpp - the request a thread works for, for its log lines
#pragma once

#include "domain/order.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::telemetry {

/// `trace_id`, `span_id` and `request_id` of log lines.
struct CurrentTrace {
    domain::TraceContext
        trace;  ///< `span`: the request's own; 0: it is not sampled, so it has none
    std::string_view request_id;  ///< as in X-Request-Id

    [[nodiscard]] std::string trace_id() const;  ///< 32 hex digits
    [[nodiscard]] std::string span_id() const;   ///< 16 hex digits; empty: none
};

/// What this thread works for right now; null: for nobody in particular. Costs one load.
///
/// Thread   any: each has its own
[[nodiscard]] const CurrentTrace* current_trace();

/// Makes `trace` the current one as long as it lives. Scopes nest. Never across a `co_await`: after
/// it the thread may work for somebody else; make a new one instead.
class TraceScope {
public:
    explicit TraceScope(const CurrentTrace& trace);
    ~TraceScope();
    TraceScope(const TraceScope&) = delete;
    TraceScope& operator=(const TraceScope&) = delete;

private:
    const CurrentTrace* before_;
};

}  // namespace firstcome::telemetry
