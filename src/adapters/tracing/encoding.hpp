// src/adapters/tracing/encoding.hpp - spans as the bytes a collector takes
#pragma once

#include "ports/spans.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::tracing {

/// Who made the spans: OpenTelemetry's resource. `service.name` is always there.
struct Resource {
    std::vector<std::pair<std::string, std::string>> attributes;
    std::string version;  ///< of the program, for the instrumentation scope

    [[nodiscard]] std::string_view service_name() const;
};

/// An ExportTraceServiceRequest in protobuf.
///
/// Source   opentelemetry-proto, opentelemetry/proto/collector/trace/v1/trace_service.proto
[[nodiscard]] std::string encode_otlp(const Resource& resource, std::span<const ports::Span> spans);

/// Spans the collector took back out of a request it answered with 200; 0: none, or no such answer.
///
/// Source   OTLP, "Partial Success"
[[nodiscard]] std::uint64_t rejected_by_otlp(std::string_view answer);

/// A list of spans in Zipkin's JSON, version 2.
///
/// Source   zipkin-api, zipkin2-api.yaml; OpenTelemetry, "OpenTelemetry to Zipkin Transformation"
[[nodiscard]] std::string encode_zipkin(
    const Resource& resource, std::span<const ports::Span> spans
);

}  // namespace firstcome::tracing
