// src/http/request_trace.cpp - the spans of a request
#include "http/request_trace.hpp"

#include "http/io_thread.hpp"

#include <charconv>
#include <string_view>
#include <utility>

namespace firstcome::http {

using ports::Span;
using ports::SpanKind;

namespace {

// The spans below a request's, by number: each id follows from the request's.
constexpr std::uint64_t lane_span = 1;
constexpr std::uint64_t store_span = 2;

std::string first_named(const Request& request, std::string_view name) {
    const auto found = request.fields_named(name);
    return found.empty() ? std::string{} : ports::plain_text(found.front());
}

void add_host(const Request& request, bool https, Span& span) {
    const std::string host = first_named(request, "host");
    const auto colon = host.rfind(':');
    const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
    std::int64_t port = https ? 443 : 80;
    if (has_port) std::from_chars(host.data() + colon + 1, host.data() + host.size(), port);
    span.attributes.push_back({"server.address", has_port ? host.substr(0, colon) : host});
    span.attributes.push_back({"server.port", port});
}

// Another member of a list may stand in each field.
std::string trace_state_of(const Request& request) {
    constexpr std::size_t size_max = 512;  // to be passed on at least; W3C Trace Context, 3.3.1.5
    std::string all;
    for (const std::string_view part : request.fields_named("tracestate")) {
        all += (all.empty() ? "" : ",") + ports::plain_text(part, size_max);
    }
    return all.size() > size_max ? std::string{} : all;
}

void add_request(const Request& request, bool https, Span& span) {
    const bool known = request.method != Method::other;
    const std::string method = known ? std::string(name(request.method)) : "_OTHER";
    span.name = known ? method : "HTTP";
    span.attributes.push_back({"http.request.method", method});
    if (!known) {
        span.attributes.push_back(
            {"http.request.method_original", ports::plain_text(request.method_text, 32)}
        );
    }
    if (request.route != nullptr) {
        span.name += " " + request.route->path;
        span.attributes.push_back({"http.route", request.route->path});
    }
    span.attributes.push_back({"url.path", ports::plain_text(request.path_as_sent)});
    span.attributes.push_back({"url.scheme", https ? "https" : "http"});
    add_host(request, https, span);
    if (std::string agent = first_named(request, "user-agent"); !agent.empty()) {
        span.attributes.push_back({"user_agent.original", std::move(agent)});
    }
    span.attributes.push_back({"firstcome.request.id", std::string(request.id.text())});
    span.trace_state = trace_state_of(request);
}

}  // namespace

RequestTrace::RequestTrace(
    Options options, const telemetry::Sampler& sampler, ports::SpanRecorder& recorder
)
    : options_(std::move(options)),
      sampler_(sampler),
      recorder_(recorder),
      unsampled_(options_.unsampled_per_second_max) {}

void RequestTrace::end(const Exchange& exchange, unsigned status, base::MonotonicTime now) {
    const Request& request = exchange.request;
    if (request.span == 0) {
        if (status < 500 && now - request.arrived < options_.slow) return;
        if (!unsampled_.take(now)) return recorder_.drop();
    }
    record(exchange, status, now);
}

void RequestTrace::record(const Exchange& exchange, unsigned status, base::MonotonicTime now) {
    const Request& request = exchange.request;
    Span span;
    span.context = request.trace;
    span.context.span = request.span != 0 ? request.span : recorder_.new_id();
    span.parent = request.trace.span;
    span.kind = SpanKind::server;
    span.start = recorder_.at(request.arrived);
    span.end = recorder_.at(now);
    add_request(request, options_.https, span);
    span.attributes.push_back({"http.response.status_code", static_cast<std::int64_t>(status)});
    if (status >= 500) {
        span.failed = true;
        span.attributes.push_back({"error.type", std::to_string(status)});
    }
    const std::uint64_t own = span.context.span;
    recorder_.record(std::move(span));
    if (exchange.placed.size > 0) record_order(exchange, own);
}

void RequestTrace::record_order(const Exchange& exchange, std::uint64_t request_span) {
    const Request& request = exchange.request;
    const app::PlaceTimes& placed = exchange.placed;
    Span lane;
    lane.context = request.trace;
    lane.context.span = ports::derived_span_id(request_span, lane_span);
    lane.parent = request_span;
    lane.name = "order lane";
    lane.start = recorder_.at(request.arrived);
    lane.end = recorder_.at(placed.ended);
    const auto waited =
        std::chrono::duration_cast<std::chrono::microseconds>(placed.began - request.arrived);
    lane.attributes.push_back({"firstcome.lane.wait_us", std::int64_t{waited.count()}});

    Span store;
    store.context = request.trace;
    store.context.span = ports::derived_span_id(request_span, store_span);
    store.parent = lane.context.span;
    store.name = options_.operation + " orders";
    store.kind = SpanKind::client;
    store.start = recorder_.at(placed.began);
    store.end = lane.end;
    store.attributes = {
        {"db.system.name", options_.database},
        {"db.operation.name", options_.operation},
        {"db.collection.name", "orders"},
        {"db.operation.batch.size", static_cast<std::int64_t>(placed.size)},
    };
    if (!*exchange.reply) {
        store.failed = true;
        store.error = std::string(ports::name(exchange.reply->error()));
        store.attributes.push_back({"error.type", store.error});
    }
    recorder_.record(std::move(lane));
    recorder_.record(std::move(store));
}

domain::TraceContext trace_of_order(const Request& request) {
    domain::TraceContext trace = request.trace;
    if (request.span != 0) trace.span = ports::derived_span_id(request.span, store_span);
    return trace;
}

domain::TraceContext trace_of_batch(const Request& request) {
    domain::TraceContext trace = request.trace;
    if (request.span != 0) trace.span = request.span;
    return trace;
}

}  // namespace firstcome::http
