// src/config/otel.hpp - what OpenTelemetry's own environment variables mean for our options
#pragma once

#include "config/config.hpp"

#include <string>
#include <utility>
#include <vector>

namespace firstcome::config {

/// An option one of the variables sets.
struct OtelSetting {
    std::string variable;  ///< `OTEL_SERVICE_NAME`
    std::string key;       ///< `tracing.service_name`
    std::string value;     ///< as FIRSTCOME_* would have it
};

struct OtelSettings {
    std::vector<OtelSetting> settings{};
    std::vector<std::string> not_followed{};  ///< whole sentences
};

/// Followed: OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT,
/// _HEADERS, _TIMEOUT, _PROTOCOL and _CERTIFICATE, OTEL_EXPORTER_ZIPKIN_ENDPOINT and _TIMEOUT,
/// OTEL_TRACES_SAMPLER and _ARG, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES. An empty one counts
/// as not set; any other that would change which spans are sent, or how, is named as not followed.
/// `exporter`: as the file has it; an OTLP endpoint alone switches one on where it has none.
/// `decided`: as something stronger has it, so that no variable changes it.
///
/// Source   OpenTelemetry, "Environment Variable Specification", "OTLP Exporter Configuration"
[[nodiscard]] OtelSettings otel_settings(
    const std::vector<std::pair<std::string, std::string>>& environment,
    TracingExporter exporter,
    bool decided
);

}  // namespace firstcome::config
