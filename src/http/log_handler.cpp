// src/http/log_handler.cpp - how much is logged, seen and changed while serving
#include "http/log_handler.hpp"

#include "http/admin_handler.hpp"
#include "http/answers.hpp"
#include "http/audit_handler.hpp"
#include "http/json_reader.hpp"
#include "http/problem.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <array>
#include <expected>
#include <iterator>
#include <string>
#include <utility>

namespace firstcome::http {

namespace {

/// `{level}`
class LevelForm {
public:
    bool open_object() {
        if (!std::exchange(inside_, true)) return true;
        value({.kind = JsonValue::Kind::object});
        return false;
    }

    bool open_array() {
        value({.kind = JsonValue::Kind::array});
        return false;
    }

    void close_object() { members_.require_first(names.size(), {}, errors); }

    void close_array() {}

    void key(std::string_view member) { at_ = members_.take(member, {}, errors); }

    void value(const JsonValue& value) {
        if (!inside_) return add_error(errors, "", InputErrorCode::wrong_type);
        if (at_ == Members::none) return;
        if (value.kind != JsonValue::Kind::string) return reject(InputErrorCode::wrong_type);
        const auto known = log::level_from(value.text);
        if (!known) return reject(InputErrorCode::invalid_choice);
        level = *known;
    }

    [[nodiscard]] std::string pointer() const {
        return at_ == Members::none ? std::string{} : Place{}.pointer(names[at_]);
    }

    log::Level level = log::Level::info;
    InputErrors errors;

private:
    static constexpr std::array<std::string_view, 1> names{"level"};

    void reject(InputErrorCode code) { add_error(errors, pointer(), code); }

    bool inside_ = false;
    Members members_{names};
    std::size_t at_ = Members::none;
};

std::expected<log::Level, InputErrors> parse_level(std::string_view body) {
    LevelForm form;
    if (auto unreadable = read_json(body, form)) {
        return std::unexpected(InputErrors{*std::move(unreadable)});
    }
    if (!form.errors.empty()) return std::unexpected(std::move(form.errors));
    return form.level;
}

void append_level(Response& response) {
    response.content_type = json_content_type;
    fmt::format_to(
        std::back_inserter(response.body),
        R"({{"level":"{}","droppedLines":{}}})",
        name(log::level()),
        log::dropped()
    );
}

// Said while the more talkative of the two levels is in force, so that the change itself is seen.
void change_level(
    App& app, const Request& request, const Admin& admin, log::Level before, log::Level after
) {
    if (after < before) log::set_level(after);
    log::info(
        "log level changed",
        {{"before", name(before)},
         {"after", name(after)},
         {"who", admin.name},
         {"trace_id", request.trace_id()}}
    );
    log::set_level(after);
    record_change(
        app,
        request,
        admin,
        {.what = "log.level",
         .subject = "log",
         .before = fmt::format(R"({{"level":"{}"}})", name(before)),
         .after = fmt::format(R"({{"level":"{}"}})", name(after))}
    );
}

}  // namespace

void get_log_level(const Request& request, Response& response, App& app) {
    if (!require_admin(request, response, app, AdminScope::read)) return;
    append_level(response);
}

void set_log_level(const Request& request, Response& response, App& app) {
    const auto admin = require_admin(request, response, app, AdminScope::all);
    if (!admin) return;
    if (!is_json(request.content_type)) {
        return answer_problem(request, problem(ProblemCode::unsupported_media_type), response);
    }
    const auto level = parse_level(request.body);
    if (!level) return answer_problem(request, problem(level.error()), response);
    change_level(app, request, *admin, log::level(), *level);
    append_level(response);
}

}  // namespace firstcome::http
