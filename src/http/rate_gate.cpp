// src/http/rate_gate.cpp - the gate that holds addresses and users to their rates
#include "http/rate_gate.hpp"

#include "base/assert.hpp"
#include "http/answers.hpp"
#include "http/client_address.hpp"
#include "http/json.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <chrono>

namespace firstcome::http {

namespace {

using std::chrono::ceil;
using std::chrono::seconds;

Problem problem_of(const app::LimitVerdict& verdict, const Request& request) {
    const auto wait = std::max(seconds{1}, ceil<seconds>(verdict.wait));
    // Up to half as long again, at least a second: those refused together do not return together.
    const auto choices = static_cast<std::uint64_t>(wait.count() / 2 + 2);
    const auto jitter = static_cast<std::int64_t>(chance_of(request) % choices);
    return rate_limited(
        {.policy = app::name(verdict.policy),
         .quota = verdict.quota,
         .window = std::max(seconds{1}, ceil<seconds>(verdict.window))},
        wait + seconds{jitter}
    );
}

/// Open to all, and tells operators more.
bool tells_operators_more(std::string_view path) {
    return path == "/livez" || path.starts_with("/actuator/");
}

/// Whoever brings a credential to where one is looked at may be guessing it. Where none is, it says
/// nothing: probes and scrapers that send one everywhere are let through.
app::RouteClass held_as(const Request& request) {
    const Route& route = *request.route;
    if (route.limited_as != app::RouteClass::open || request.authorization.empty()) {
        return route.limited_as;
    }
    return tells_operators_more(route.path) ? app::RouteClass::admin : app::RouteClass::open;
}

}  // namespace

app::RouteClass route_class(Method method, std::string_view path) {
    if (path.starts_with("/api/v1/admin/")) return app::RouteClass::admin;
    if (!path.starts_with("/api/v1/orders")) return app::RouteClass::open;
    if (method != Method::post) return app::RouteClass::reads;
    return path.ends_with(":batch") ? app::RouteClass::batch : app::RouteClass::orders;
}

bool RateGate::admit(Request& request, Response& response) {
    FC_ASSERT(request.route != nullptr);
    const app::LimitSettings& settings = limiter_.settings();
    request.client = client_address(request, settings.trusted_proxies);
    if (!settings.enabled) return true;
    const app::RouteClass route = held_as(request);
    if (route == app::RouteClass::open) return true;
    if (request.client == request.peer) warn_of_unread_header(request);
    const auto verdict = limiter_.admit_address(request.client.bytes, route, request.arrived);
    if (!verdict.allowed) {
        answer_problem(request, problem_of(verdict, request), response);
        return false;
    }
    if (verdict.quota == 0) return true;
    request.limit = {
        .policy = app::name(verdict.policy),
        .remaining = verdict.remaining,
        .reset_seconds = static_cast<std::uint32_t>(ceil<seconds>(verdict.wait).count())};
    return true;
}

std::optional<Problem> RateGate::refuse_order(const Request& request, std::string_view user) {
    const auto verdict = limiter_.admit_user(user, request.arrived);
    if (verdict.allowed) return std::nullopt;
    return problem_of(verdict, request);
}

/// Behind a proxy that nobody named, all clients share the proxy's limit: somebody must be told.
void RateGate::warn_of_unread_header(const Request& request) {
    if (request.forwarded_for.empty()) return;
    if (warned_.load(std::memory_order_relaxed) || warned_.exchange(true)) return;
    log::warn(
        "a client sends X-Forwarded-For and is not in server.trusted_proxies: the header is "
        "ignored, and if it is a proxy all its clients share one rate limit",
        {{"peer", request.peer.text()}}
    );
}

void append_limit(std::string& out, const Request& request, unsigned status) {
    const LimitNote& limit = request.limit;
    if (limit.policy.empty() || status == 429) return;
    out.append("RateLimit: \"").append(limit.policy).append("\";r=");
    append_unsigned(out, limit.remaining);
    out += ";t=";
    append_unsigned(out, limit.reset_seconds);
    out += "\r\n";
}

}  // namespace firstcome::http
