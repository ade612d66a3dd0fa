// src/http/breakers_handler.cpp - the circuit breakers, seen and turned by hand
#include "http/breakers_handler.hpp"

#include "http/admin_handler.hpp"
#include "http/answers.hpp"
#include "http/audit_handler.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::http {

namespace {

/// Source   the names are those of Resilience4j's Actuator endpoint
void append_breaker(std::string& out, const ports::BreakerFigures& breaker) {
    out += R"({"name":)";
    append_json_string(out, breaker.name);
    fmt::format_to(
        std::back_inserter(out),
        R"(,"state":"{}","failureRate":{:.1f},"slowCallRate":{:.1f},"bufferedCalls":{},)"
        R"("failedCalls":{},"slowCalls":{},"slowFailedCalls":{},"notPermittedCalls":{}}})",
        breaker.state,
        breaker.failure_rate,
        breaker.slow_call_rate,
        breaker.buffered_calls,
        breaker.failed_calls,
        breaker.slow_calls,
        breaker.slow_failed_calls,
        breaker.not_permitted_calls
    );
}

std::string state_json(std::string_view state) {
    return fmt::format(R"({{"state":"{}"}})", state);
}

void turn_breaker(
    const Request& request, Response& response, App& app, ports::BreakerCommand command
) {
    const auto admin = require_admin(request, response, app, AdminScope::breaker);
    if (!admin) return;
    const std::string_view wanted = request.parameters[0];
    std::optional<ports::BreakerTurned> turned;
    if (app.breakers != nullptr) turned = app.breakers->turn(wanted, command);
    if (!turned) {
        constexpr std::string_view detail =
            "There is no circuit breaker of that name; GET /api/v1/admin/breakers lists them.";
        return answer_problem(request, problem(ProblemCode::not_found, detail), response);
    }
    log::info(
        "circuit breaker turned by hand",
        {{"breaker", turned->after.name},
         {"command", name(command)},
         {"who", admin->name},
         {"before", turned->before},
         {"after", turned->after.state},
         {"trace_id", request.trace_id()}}
    );
    record_change(
        app,
        request,
        *admin,
        {.what = fmt::format("breaker.{}", name(command)),
         .subject = turned->after.name,
         .before = state_json(turned->before),
         .after = state_json(turned->after.state)}
    );
    response.content_type = json_content_type;
    append_breaker(response.body, turned->after);
}

}  // namespace

void get_breakers(const Request& request, Response& response, App& app) {
    if (!require_admin(request, response, app, AdminScope::read)) return;
    response.content_type = json_content_type;
    response.body = R"({"breakers":)";
    append_breakers(response.body, app);
    response.body += '}';
}

void open_breaker(const Request& request, Response& response, App& app) {
    turn_breaker(request, response, app, ports::BreakerCommand::open);
}

void close_breaker(const Request& request, Response& response, App& app) {
    turn_breaker(request, response, app, ports::BreakerCommand::close);
}

void reset_breaker(const Request& request, Response& response, App& app) {
    turn_breaker(request, response, app, ports::BreakerCommand::reset);
}

void append_breakers(std::string& out, const App& app) {
    out += '[';
    if (app.breakers != nullptr) {
        for (const ports::BreakerFigures& breaker : app.breakers->breakers()) {
            if (out.back() == '}') out += ',';
            append_breaker(out, breaker);
        }
    }
    out += ']';
}

}  // namespace firstcome::http
