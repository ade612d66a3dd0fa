// src/http/alerts_handler.cpp - the alerts of the built-in rules, as they are now
#include "http/alerts_handler.hpp"

#include "http/admin_handler.hpp"
#include "http/json.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string>

namespace firstcome::http {

namespace {

void append_alert(std::string& out, const ports::Alert& alert) {
    fmt::format_to(
        std::back_inserter(out),
        R"({{"name":"{}","severity":"{}","labels":{{)",
        name(alert.kind),
        severity(alert.kind)
    );
    const auto about = subject_label(alert.kind);
    if (!about.empty()) {
        append_json_string(out, about);
        out += ':';
        append_json_string(out, alert.subject);
    }
    if (!alert.instance.empty()) {
        out += about.empty() ? R"("instance":)" : R"(,"instance":)";
        append_json_string(out, alert.instance);
    }
    out += R"(},"summary":)";
    append_json_string(out, alert.summary);
    out += R"(,"startsAt":)";
    append_timestamp(out, alert.starts_at);
    out += '}';
}

}  // namespace

void get_alerts(const Request& request, Response& response, App& app) {
    if (!require_admin(request, response, app, AdminScope::read)) return;
    response.content_type = json_content_type;
    // An empty list of rules nobody looks at must not be taken for "all is well".
    response.body = app.alerts ? R"({"enabled":true,"alerts":[)" : R"({"enabled":false,"alerts":[)";
    if (app.alerts) {
        for (const ports::Alert& alert : app.alerts()) {
            if (response.body.back() == '}') response.body += ',';
            append_alert(response.body, alert);
        }
    }
    response.body += "]}";
}

}  // namespace firstcome::http
