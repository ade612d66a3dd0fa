// src/http/health_json.cpp - health as JSON, in the form of Spring Boot Actuator
#include "http/health_json.hpp"

#include "http/json.hpp"

#include <fmt/format.h>

#include <iterator>
#include <variant>

namespace firstcome::http {

namespace {

struct AppendValue {
    std::string& out;

    void operator()(bool value) const { out += value ? "true" : "false"; }

    void operator()(std::int64_t value) const { append_integer(out, value); }

    void operator()(double value) const {
        fmt::format_to(std::back_inserter(out), "{:.3f}", value);
    }

    void operator()(const std::string& value) const { append_json_string(out, value); }
};

void begin(std::string& out, ports::HealthStatus status) {
    out += R"({"status":")";
    out += name(status);
    out += '"';
}

}  // namespace

void append_health(std::string& out, const ports::Health& health, HealthAudience audience) {
    begin(out, health.status);
    if (audience == HealthAudience::operators && !health.details.empty()) {
        out += R"(,"details":{)";
        for (const ports::HealthDetail& detail : health.details) {
            if (&detail != health.details.data()) out += ',';
            append_json_string(out, detail.name);
            out += ':';
            std::visit(AppendValue{out}, detail.value);
        }
        out += '}';
    }
    out += '}';
}

void append_health(
    std::string& out,
    const app::HealthView& view,
    std::span<const app::HealthGroup> groups,
    HealthAudience audience
) {
    begin(out, view.status);
    if (audience == HealthAudience::operators) {
        out += R"(,"components":{)";
        for (const app::HealthComponent& each : view.components) {
            if (&each != view.components.data()) out += ',';
            append_json_string(out, each.name);
            out += ':';
            append_health(out, each.health, audience);
        }
        out += '}';
    }
    if (!groups.empty()) out += R"(,"groups":[)";
    for (const app::HealthGroup& group : groups) {
        if (&group != groups.data()) out += ',';
        append_json_string(out, group.name);
    }
    out += groups.empty() ? "}" : "]}";
}

}  // namespace firstcome::http
