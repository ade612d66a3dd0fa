// src/adapters/tracing/zipkin.cpp - spans as Zipkin's JSON
#include "adapters/tracing/encoding.hpp"
#include "base/assert.hpp"
#include "base/json_string.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace firstcome::tracing {

namespace {

using std::chrono::microseconds;

/// Empty: Zipkin knows no such kind.
std::string_view kind_of(ports::SpanKind kind) {
    switch (kind) {
        case ports::SpanKind::internal: return "";
        case ports::SpanKind::server: return "SERVER";
        case ports::SpanKind::client: return "CLIENT";
        case ports::SpanKind::producer: return "PRODUCER";
        case ports::SpanKind::consumer: return "CONSUMER";
    }
    FC_UNREACHABLE();
}

std::string text_of(const ports::SpanAttribute& attribute) {
    if (const auto* text = std::get_if<std::string>(&attribute.value)) return *text;
    return std::to_string(std::get<std::int64_t>(attribute.value));
}

class Tags {
public:
    explicit Tags(std::string& out) : out_(out) { out_ += R"(,"tags":{)"; }

    void add(std::string_view key, std::string_view value) {
        if (!first_) out_ += ',';
        first_ = false;
        base::append_json_string(out_, key);
        out_ += ':';
        base::append_json_string(out_, value);
    }

    void close() { out_ += '}'; }

private:
    std::string& out_;
    bool first_ = true;
};

void append_tags(std::string& out, const Resource& resource, const ports::Span& span) {
    Tags tags{out};
    for (const ports::SpanAttribute& attribute : span.attributes) {
        tags.add(attribute.key, text_of(attribute));
    }
    for (const auto& [key, value] : resource.attributes) {
        if (key != "service.name") tags.add(key, value);
    }
    tags.add("otel.scope.name", "firstcome");
    if (span.failed) {
        tags.add("otel.status_code", "ERROR");
        tags.add("error", span.error.empty() ? "true" : span.error);
    }
    if (!span.trace_state.empty()) tags.add("w3c.tracestate", span.trace_state);
    tags.close();
}

void append_span(std::string& out, const Resource& resource, const ports::Span& span) {
    const auto since = std::chrono::floor<microseconds>(span.start).time_since_epoch();
    // 0 would be read as "not known".
    const auto took =
        std::max(std::chrono::duration_cast<microseconds>(span.end - span.start), microseconds{1});
    out += fmt::format(
        R"({{"traceId":"{:016x}{:016x}","id":"{:016x}")",
        span.context.trace_high,
        span.context.trace_low,
        span.context.span
    );
    if (span.parent != 0) out += fmt::format(R"(,"parentId":"{:016x}")", span.parent);
    if (const auto kind = kind_of(span.kind); !kind.empty()) {
        out += fmt::format(R"(,"kind":"{}")", kind);
    }
    out += R"(,"name":)";
    base::append_json_string(out, span.name);
    out += fmt::format(R"(,"timestamp":{},"duration":{})", since.count(), took.count());
    out += R"(,"localEndpoint":{"serviceName":)";
    base::append_json_string(out, resource.service_name());
    out += '}';
    append_tags(out, resource, span);
    out += '}';
}

}  // namespace

std::string encode_zipkin(const Resource& resource, std::span<const ports::Span> spans) {
    std::string out = "[";
    for (const ports::Span& span : spans) {
        if (out.size() > 1) out += ',';
        append_span(out, resource, span);
    }
    return out + "]";
}

}  // namespace firstcome::tracing
