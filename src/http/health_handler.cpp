// src/http/health_handler.cpp - is it alive, is it ready, how are its parts, what does it measure
#include "http/health_handler.hpp"

#include "app/health_board.hpp"
#include "http/answers.hpp"
#include "http/health_json.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

namespace {

void answer_health(Response& response, bool up, std::string_view member = {}) {
    response.status = up ? 200 : 503;
    response.content_type = json_content_type;
    response.add_header("Cache-Control", "no-store");
    response.body += up ? R"({"status":"UP")" : R"({"status":"DOWN")";
    response.body += member;
    response.body += '}';
}

/// Everybody may ask how the service is; why, is for operators.
HealthAudience audience_of(const Request& request, const App& app) {
    if (app.admin_certificate_required && !request.certified) return HealthAudience::strangers;
    const auto token = bearer_token(request.authorization);
    const bool is_operator = app.admin_tokens.find(token, AdminScope::read).has_value();
    return is_operator ? HealthAudience::operators : HealthAudience::strangers;
}

/// The status says what the body says, for those who read no bodies.
void begin_health(Response& response, ports::HealthStatus status) {
    const bool serves =
        status != ports::HealthStatus::down && status != ports::HealthStatus::out_of_service;
    response.status = serves ? 200 : 503;
    response.content_type = json_content_type;
    response.add_header("Cache-Control", "no-store");
}

std::string_view stage_member(app::ServiceStage stage) {
    switch (stage) {
        case app::ServiceStage::starting: return R"(,"stage":"starting")";
        case app::ServiceStage::serving: return R"(,"stage":"serving")";
        case app::ServiceStage::draining: return R"(,"stage":"draining")";
    }
    FC_UNREACHABLE();
}

}  // namespace

void get_livez(const Request& request, Response& response, App& app) {
    const std::vector<std::string> names = app.stuck();
    std::string stuck;
    if (audience_of(request, app) == HealthAudience::operators) {
        for (const std::string& each : names) {
            stuck += stuck.empty() ? R"(,"stuck":[)" : ",";
            append_json_string(stuck, each);
        }
        if (!stuck.empty()) stuck += ']';
    }
    answer_health(response, names.empty(), stuck);
}

void get_readyz(const Request& /*request*/, Response& response, App& app) {
    const auto stage = app.state.stage();
    answer_health(response, stage == app::ServiceStage::serving, stage_member(stage));
}

void get_startupz(const Request& /*request*/, Response& response, App& app) {
    const auto stage = app.state.stage();
    answer_health(response, stage != app::ServiceStage::starting, stage_member(stage));
}

void get_health(const Request& request, Response& response, App& app) {
    const app::HealthView view = app.health->all();
    begin_health(response, view.status);
    const HealthAudience audience = audience_of(request, app);
    append_health(response.body, view, app.health->groups(), audience);
}

void get_health_of(const Request& request, Response& response, App& app) {
    const std::string_view wanted = request.parameters[0];
    const HealthAudience audience = audience_of(request, app);
    if (const auto component = app.health->component(wanted)) {
        begin_health(response, component->status);
        return append_health(response.body, *component, audience);
    }
    if (const auto group = app.health->group(wanted)) {
        begin_health(response, group->status);
        return append_health(response.body, *group, {}, audience);
    }
    constexpr std::string_view detail =
        "This node has no health component or group of that name; GET /actuator/health lists them.";
    answer_problem(request, problem(ProblemCode::not_found, detail), response);
}

void get_metrics(const Request& /*request*/, Response& response, App& app) {
    response.content_type = app.metrics_content_type;
    response.body = app.metrics_text();
}

}  // namespace firstcome::http
