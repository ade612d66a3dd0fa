// src/adapters/tracing/otlp.cpp - spans as OTLP's protobuf
#include "adapters/tracing/encoding.hpp"
#include "adapters/tracing/otlp.pb.h"
#include "base/assert.hpp"

namespace firstcome::tracing {

namespace {

// What our attribute names mean, as published.
constexpr const char* schema = "https://opentelemetry.io/schemas/1.27.0";

otlp::Span::SpanKind kind_of(ports::SpanKind kind) {
    switch (kind) {
        case ports::SpanKind::internal: return otlp::Span::SPAN_KIND_INTERNAL;
        case ports::SpanKind::server: return otlp::Span::SPAN_KIND_SERVER;
        case ports::SpanKind::client: return otlp::Span::SPAN_KIND_CLIENT;
        case ports::SpanKind::producer: return otlp::Span::SPAN_KIND_PRODUCER;
        case ports::SpanKind::consumer: return otlp::Span::SPAN_KIND_CONSUMER;
    }
    FC_UNREACHABLE();
}

void append_big_endian(std::string& out, std::uint64_t word) {
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((word >> shift) & 0xFFU);
}

std::uint64_t nanoseconds(ports::SpanTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

void add(otlp::KeyValue& to, std::string_view key, const std::string& value) {
    to.set_key(std::string(key));
    to.mutable_value()->set_string_value(value);
}

void add(const ports::SpanAttribute& attribute, otlp::KeyValue& to) {
    if (const auto* text = std::get_if<std::string>(&attribute.value)) {
        return add(to, attribute.key, *text);
    }
    to.set_key(std::string(attribute.key));
    to.mutable_value()->set_int_value(std::get<std::int64_t>(attribute.value));
}

void add(const ports::Span& span, otlp::Span& to) {
    append_big_endian(*to.mutable_trace_id(), span.context.trace_high);
    append_big_endian(*to.mutable_trace_id(), span.context.trace_low);
    append_big_endian(*to.mutable_span_id(), span.context.span);
    if (span.parent != 0) append_big_endian(*to.mutable_parent_span_id(), span.parent);
    to.set_trace_state(span.trace_state);
    to.set_name(span.name);
    to.set_kind(kind_of(span.kind));
    to.set_start_time_unix_nano(nanoseconds(span.start));
    to.set_end_time_unix_nano(nanoseconds(span.end));
    to.set_flags(span.context.sampled ? 1 : 0);
    for (const ports::SpanAttribute& attribute : span.attributes) {
        add(attribute, *to.add_attributes());
    }
    if (!span.failed) return;
    to.mutable_status()->set_code(otlp::Status::STATUS_CODE_ERROR);
    to.mutable_status()->set_message(span.error);
}

}  // namespace

std::string_view Resource::service_name() const {
    for (const auto& [key, value] : attributes) {
        if (key == "service.name") return value;
    }
    FC_UNREACHABLE();
}

std::string encode_otlp(const Resource& resource, std::span<const ports::Span> spans) {
    otlp::ExportTraceServiceRequest request;
    otlp::ResourceSpans& of_resource = *request.add_resource_spans();
    of_resource.set_schema_url(schema);
    for (const auto& [key, value] : resource.attributes) {
        add(*of_resource.mutable_resource()->add_attributes(), key, value);
    }
    otlp::ScopeSpans& of_scope = *of_resource.add_scope_spans();
    of_scope.mutable_scope()->set_name("firstcome");
    of_scope.mutable_scope()->set_version(resource.version);
    for (const ports::Span& span : spans) add(span, *of_scope.add_spans());
    return request.SerializeAsString();
}

std::uint64_t rejected_by_otlp(std::string_view answer) {
    otlp::ExportTraceServiceResponse response;
    const auto size = static_cast<int>(answer.size());
    if (!response.ParseFromArray(answer.data(), size)) return 0;
    const std::int64_t rejected = response.partial_success().rejected_spans();
    return rejected > 0 ? static_cast<std::uint64_t>(rejected) : 0;
}

}  // namespace firstcome::tracing
