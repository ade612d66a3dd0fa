// src/http/health_handler.cpp - is it alive, is it ready, what does it measure
#include "http/health_handler.hpp"

#include "http/json.hpp"

#include <string_view>

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

std::string_view stage_member(app::ServiceStage stage) {
    switch (stage) {
        case app::ServiceStage::starting: return R"(,"stage":"starting")";
        case app::ServiceStage::serving: return R"(,"stage":"serving")";
        case app::ServiceStage::draining: return R"(,"stage":"draining")";
    }
    FC_UNREACHABLE();
}

}  // namespace

void get_livez(const Request& /*request*/, Response& response, App& app) {
    std::string stuck;
    for (const std::string& each : app.stuck()) {
        stuck += stuck.empty() ? R"(,"stuck":[)" : ",";
        append_json_string(stuck, each);
    }
    if (!stuck.empty()) stuck += ']';
    answer_health(response, stuck.empty(), stuck);
}

void get_readyz(const Request& /*request*/, Response& response, App& app) {
    const auto stage = app.state.stage();
    answer_health(response, stage == app::ServiceStage::serving, stage_member(stage));
}

void get_startupz(const Request& /*request*/, Response& response, App& app) {
    const auto stage = app.state.stage();
    answer_health(response, stage != app::ServiceStage::starting, stage_member(stage));
}

void get_metrics(const Request& /*request*/, Response& response, App& app) {
    response.content_type = app.metrics_content_type;
    response.body = app.metrics_text();
}

}  // namespace firstcome::http
