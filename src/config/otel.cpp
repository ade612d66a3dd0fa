// src/config/otel.cpp - what OpenTelemetry's own environment variables mean for our options
#include "config/otel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <map>
#include <optional>
#include <string_view>

namespace firstcome::config {

namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

class Reading {
public:
    explicit Reading(const std::vector<std::pair<std::string, std::string>>& environment) {
        for (const auto& [name, value] : environment) {
            if (name.starts_with("OTEL_") && !value.empty()) variables_[name] = value;
        }
    }

    [[nodiscard]] const std::string* find(std::string_view name) const {
        const auto found = variables_.find(name);
        return found == variables_.end() ? nullptr : &found->second;
    }

    /// The one for traces alone wins over the one for all signals.
    [[nodiscard]] std::string otlp(std::string_view what) const {
        const std::string own = fmt::format("OTEL_EXPORTER_OTLP_TRACES_{}", what);
        return find(own) != nullptr ? own : fmt::format("OTEL_EXPORTER_OTLP_{}", what);
    }

    void set(std::string_view variable, std::string_view key, std::string value) {
        out.settings.push_back({std::string(variable), std::string(key), std::move(value)});
    }

    /// As it stands, if it is there.
    void copy(std::string_view variable, std::string_view key, std::string_view unit = "") {
        if (const auto* value = find(variable)) set(variable, key, *value + std::string(unit));
    }

    void refuse(std::string_view variable, std::string_view why) {
        out.not_followed.push_back(fmt::format("{} is not followed: {}.", variable, why));
    }

    [[nodiscard]] const Variables& variables() const { return variables_; }

    OtelSettings out;

private:
    Variables variables_;
};

bool is_true(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return text == "true";
}

// The exporter spans will go to once all is read.
TracingExporter read_exporter(Reading& reading, TracingExporter exporter) {
    using enum TracingExporter;
    constexpr std::array<std::string_view, 3> known{"none", "otlp", "zipkin"};
    if (const auto* disabled = reading.find("OTEL_SDK_DISABLED"); disabled && is_true(*disabled)) {
        reading.set("OTEL_SDK_DISABLED", "tracing.exporter", "none");
        return none;
    }
    const auto* wanted = reading.find("OTEL_TRACES_EXPORTER");
    if (wanted != nullptr) {
        const auto* const found = std::ranges::find(known, *wanted);
        if (found != known.end()) {
            reading.set("OTEL_TRACES_EXPORTER", "tracing.exporter", *wanted);
            return static_cast<TracingExporter>(found - known.begin());
        }
        reading.refuse("OTEL_TRACES_EXPORTER", "there are none, otlp and zipkin, one of them");
    }
    // OpenTelemetry's own default is otlp; who names a collector expects spans there.
    const std::string endpoint = reading.otlp("ENDPOINT");
    if (exporter != none || reading.find(endpoint) == nullptr) return exporter;
    reading.set(endpoint, "tracing.exporter", "otlp");
    return otlp;
}

void read_otlp(Reading& reading) {
    if (const auto* own = reading.find("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) {
        reading.set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "tracing.endpoint", *own);
    } else if (const auto* base = reading.find("OTEL_EXPORTER_OTLP_ENDPOINT")) {
        const std::string_view slash = base->ends_with('/') ? "" : "/";
        reading.set(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "tracing.endpoint",
            fmt::format("{}{}v1/traces", *base, slash)
        );
    }
    reading.copy(reading.otlp("HEADERS"), "tracing.headers");
    reading.copy(reading.otlp("CERTIFICATE"), "tracing.ca_file");
    reading.copy(reading.otlp("TIMEOUT"), "tracing.timeout", "ms");
    const std::string protocol = reading.otlp("PROTOCOL");
    if (const auto* value = reading.find(protocol); value && *value != "http/protobuf") {
        reading.refuse(
            protocol, "spans are sent as http/protobuf, to port 4318 of most collectors"
        );
    }
}

// 0.01 is 1 percent.
std::optional<std::string> percent_of(const std::string& ratio) {
    double value = 0;
    const char* const end = ratio.data() + ratio.size();
    const auto [read, error] = std::from_chars(ratio.data(), end, value);
    if (error != std::errc{} || read != end || !(value >= 0 && value <= 1)) return std::nullopt;
    return fmt::format("{:.6g}", value * 100);
}

void read_sampler(Reading& reading) {
    const auto* sampler = reading.find("OTEL_TRACES_SAMPLER");
    if (sampler == nullptr) return;
    reading.set("OTEL_TRACES_SAMPLER", "tracing.sampler", *sampler);
    if (!sampler->ends_with("traceidratio")) return;
    const auto* ratio = reading.find("OTEL_TRACES_SAMPLER_ARG");
    if (ratio == nullptr) {
        reading.set("OTEL_TRACES_SAMPLER", "tracing.sample_percent", "100");
    } else if (const auto percent = percent_of(*ratio)) {
        reading.set("OTEL_TRACES_SAMPLER_ARG", "tracing.sample_percent", *percent);
    } else {
        reading.refuse("OTEL_TRACES_SAMPLER_ARG", "it must be a number from 0 to 1");
    }
}

constexpr std::string_view no_option = "there is no option for it";

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, name) != names.end();
}

/// Cuts `start` off, if the name begins so.
bool cut(std::string_view& name, std::string_view start) {
    if (!name.starts_with(start)) return false;
    name.remove_prefix(start.size());
    return true;
}

/// Why OTEL_EXPORTER_OTLP_<what> changes nothing; empty: it does, or is about another signal.
std::string_view why_not_otlp(std::string_view what, std::string_view value) {
    for (const std::string_view signal : {"METRICS_", "LOGS_", "PROFILES_"}) {
        if (what.starts_with(signal)) return {};
    }
    cut(what, "TRACES_");
    if (is_one_of(what, {"ENDPOINT", "HEADERS", "TIMEOUT", "PROTOCOL", "CERTIFICATE"})) return {};
    if (what == "COMPRESSION") return value == "none" ? "" : "spans are sent as they are";
    if (what == "INSECURE") return "whether TLS is spoken is said by the endpoint's http or https";
    return no_option;
}

/// Why the variable changes nothing of which spans are sent, or how; empty: it does, or is about
/// something else.
std::string_view why_not(std::string_view name, std::string_view value, TracingExporter exporter) {
    if (cut(name, "OTEL_EXPORTER_OTLP_")) {
        return exporter == TracingExporter::otlp ? why_not_otlp(name, value) : std::string_view{};
    }
    if (cut(name, "OTEL_EXPORTER_ZIPKIN_")) {
        const bool followed = is_one_of(name, {"ENDPOINT", "TIMEOUT"});
        return exporter == TracingExporter::zipkin && !followed ? no_option : std::string_view{};
    }
    if (cut(name, "OTEL_TRACES_")) {
        return is_one_of(name, {"EXPORTER", "SAMPLER", "SAMPLER_ARG"}) ? "" : no_option;
    }
    if (name == "OTEL_PROPAGATORS") {
        const std::string_view ours =
            "traceparent, b3 and X-B3-* are read, traceparent is passed on";
        return value == "tracecontext" ? std::string_view{} : ours;
    }
    for (const std::string_view limits :
         {"OTEL_BSP_", "OTEL_SPAN_", "OTEL_ATTRIBUTE_", "OTEL_EVENT_", "OTEL_LINK_"}) {
        if (name.starts_with(limits)) return no_option;
    }
    return {};
}

void refuse_the_rest(Reading& reading, TracingExporter exporter) {
    for (const auto& [name, value] : reading.variables()) {
        const std::string_view why = why_not(name, value, exporter);
        if (!why.empty()) reading.refuse(name, why);
    }
}

}  // namespace

OtelSettings otel_settings(
    const std::vector<std::pair<std::string, std::string>>& environment,
    TracingExporter exporter,
    bool decided
) {
    Reading reading{environment};
    if (!decided) exporter = read_exporter(reading, exporter);
    if (exporter == TracingExporter::otlp) read_otlp(reading);
    if (exporter == TracingExporter::zipkin) {
        reading.copy("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "tracing.endpoint");
        reading.copy("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "tracing.timeout", "ms");
    }
    read_sampler(reading);
    reading.copy("OTEL_RESOURCE_ATTRIBUTES", "tracing.resource");
    reading.copy("OTEL_SERVICE_NAME", "tracing.service_name");
    if (exporter != TracingExporter::none) refuse_the_rest(reading, exporter);
    return std::move(reading.out);
}

}  // namespace firstcome::config
