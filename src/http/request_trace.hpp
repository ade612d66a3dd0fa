// src/http/request_trace.hpp - the spans of a request: whether, when it begins; which, when it ends
#pragma once

#include "base/time.hpp"
#include "domain/order.hpp"
#include "http/message.hpp"
#include "ports/spans.hpp"
#include "telemetry/current_trace.hpp"
#include "telemetry/sampler.hpp"
#include "telemetry/unsampled_budget.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace firstcome::http {

struct Exchange;

/// Until a request ends nothing is made of it but its id and a few times that are taken anyway.
/// Then spans are made if its trace is sampled, if it was answered with 5xx, or if it was slow.
///
/// Thread   any
/// Source   OpenTelemetry, "Semantic conventions for HTTP spans", "... for database spans"
class RequestTrace {
public:
    struct Options {
        std::chrono::nanoseconds slow{std::chrono::seconds{1}};
        std::uint32_t unsampled_per_second_max = telemetry::UnsampledBudget::per_second_default;
        std::string database;   ///< what decides an order, as `db.system.name` names it
        std::string operation;  ///< and how: `db.operation.name`
        bool https = false;     ///< of all listeners whose requests are followed
    };

    /// `recorder` outlives this.
    RequestTrace(Options options, const telemetry::Sampler& sampler, ports::SpanRecorder& recorder);

    /// Once the request knows its trace id.
    void begin(Request& request) const {
        const bool keeps = sampler_.keeps(request.trace.trace_low, request.parent_sampled);
        request.trace.sampled = keeps;
        if (keeps) request.span = recorder_.new_id();
    }

    /// Once its answer is written.
    void end(const Exchange& exchange, unsigned status, base::MonotonicTime now);

private:
    void record(const Exchange& exchange, unsigned status, base::MonotonicTime now);
    void record_order(const Exchange& exchange, std::uint64_t request_span);

    const Options options_;
    const telemetry::Sampler sampler_;
    ports::SpanRecorder& recorder_;  // outlives
    telemetry::UnsampledBudget unsampled_;
};

/// The trace of the order a request asks for, as its events carry it: where spans are made they
/// hang below the one of its commit, else below the caller's.
[[nodiscard]] domain::TraceContext trace_of_order(const Request& request);

/// The same for one of many orders of a request: below the request's own span.
[[nodiscard]] domain::TraceContext trace_of_batch(const Request& request);

/// For log lines written while it is handled: see telemetry::current_trace. Never across a
/// `co_await`.
class RequestScope {
public:
    explicit RequestScope(const Request& request)
        : current_{.trace = request.trace, .request_id = request.id.text()}, scope_(current_) {
        current_.trace.span = request.span;
    }

private:
    telemetry::CurrentTrace current_;
    telemetry::TraceScope scope_;
};

}  // namespace firstcome::http
