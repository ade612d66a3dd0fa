// src/wiring/tracing.hpp - spans, from the configuration to the collector
#pragma once

#include "adapters/tracing/exporter.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "http/request_trace.hpp"
#include "ports/spans.hpp"
#include "telemetry/trace_families.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace firstcome::wiring {

/// Without an exporter in the configuration nothing of it is there, and nothing is asked.
///
/// Thread   main; counts: any
class Tracing {
public:
    /// Both outlive this.
    Tracing(const config::Config& config, const base::Clock& clock)
        : config_(config), clock_(clock) {}

    /// Errors   a sentence for the operator
    [[nodiscard]] std::expected<void, std::string> start();

    /// Sends what waits until the deadline. Nobody records after it.
    void drain(base::MonotonicTime deadline);

    /// Null: no spans are made.
    [[nodiscard]] ports::SpanRecorder* spans() { return exporter_.get(); }

    [[nodiscard]] http::RequestTrace* requests() { return requests_ ? &*requests_ : nullptr; }

    [[nodiscard]] telemetry::SpanCounts counts() const;

private:
    [[nodiscard]] std::expected<tracing::Resource, std::string> resource();

    const config::Config& config_;  // outlives
    const base::Clock& clock_;      // outlives
    base::SystemEntropy entropy_;   // the exporter's, once it runs
    std::unique_ptr<tracing::Exporter> exporter_;
    std::optional<http::RequestTrace> requests_;
};

}  // namespace firstcome::wiring
