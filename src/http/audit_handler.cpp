// src/http/audit_handler.cpp - who changed what: written down by the handlers, read by auditors
#include "http/audit_handler.hpp"

#include "app/audit_desk.hpp"
#include "http/admin_handler.hpp"
#include "http/answers.hpp"
#include "http/await.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/query_string.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <expected>
#include <optional>
#include <string_view>
#include <utility>

// g++ 12 may inline the one of Asio's frame allocation and deallocation and not the other, and then
// takes them for a mismatched pair.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace firstcome::http {

namespace {

using ports::AuditCursor;
using ports::AuditEntry;
using ports::AuditLog;
using ports::AuditPage;
using Result = AuditLog::Result<AuditPage>;

// The last of the year 9999: no log has entries beyond, and no store counts much further.
constexpr std::int64_t milliseconds_max = 253'402'300'799'999;

constexpr std::string_view nothing_kept = "No audit log is kept here.";

/// `<milliseconds>.<source>.<number>`, as `text_of` wrote it.
std::optional<AuditCursor> cursor_from(std::string_view text) {
    std::array<std::int64_t, 3> parts{};
    for (std::int64_t& part : parts) {
        const auto end = std::min(text.find('.'), text.size());
        const auto [stop, error] = std::from_chars(text.data(), text.data() + end, part);
        if (error != std::errc{} || stop != text.data() + end || part < 0) return std::nullopt;
        const bool is_last = &part == &parts.back();
        if (is_last != (end == text.size())) return std::nullopt;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (parts[0] > milliseconds_max) return std::nullopt;
    return AuditCursor{
        .at = base::WallTime{std::chrono::milliseconds{parts[0]}},
        .source = parts[1],
        .number = parts[2]};
}

std::string text_of(const AuditCursor& cursor) {
    return fmt::format(
        "{}.{}.{}", cursor.at.time_since_epoch().count(), cursor.source, cursor.number
    );
}

struct AuditQuery {
    std::size_t limit = page_limit_default;
    std::optional<AuditCursor> below;
};

std::expected<AuditQuery, InputErrors> parse_audit_query(std::string_view raw) {
    static constexpr std::array<std::string_view, 2> allowed{"limit", "cursor"};
    const auto query = parse_query(raw, allowed);
    if (!query) return std::unexpected(query.error());
    InputErrors errors;
    AuditQuery wanted;
    wanted.limit = page_limit_of(*query, errors);
    if (const auto cursor = value_of(*query, "cursor")) {
        wanted.below = cursor_from(*cursor);
        if (!wanted.below) errors.push_back({"/cursor", InputErrorCode::invalid_cursor});
    }
    if (!errors.empty()) return std::unexpected(std::move(errors));
    return wanted;
}

void append_json(std::string& out, std::string_view name, std::string_view json) {
    out.append(name).append(json.empty() ? "null" : json);
}

void append_text(std::string& out, std::string_view name, std::string_view text) {
    out += name;
    append_json_string(out, text);
}

void append_page(std::string& out, const AuditPage& page) {
    out += R"({"entries":[)";
    for (const AuditEntry& entry : page.entries) {
        if (&entry != page.entries.data()) out += ',';
        out += R"({"at":)";
        append_timestamp(out, entry.at);
        append_text(out, R"(,"who":)", entry.who);
        append_text(out, R"(,"what":)", entry.what);
        append_text(out, R"(,"subject":)", entry.subject);
        append_text(out, R"(,"reason":)", entry.reason);
        append_text(out, R"(,"traceId":)", entry.trace_id);
        append_json(out, R"(,"before":)", entry.before);
        append_json(out, R"(,"after":)", entry.after);
        out += '}';
    }
    out += R"(],"nextCursor":)";
    if (page.next) {
        append_json_string(out, text_of(*page.next));
    } else {
        out += "null";
    }
    out += '}';
}

}  // namespace

Author author_of(const Request& request, const Admin& admin) {
    return {
        .who = admin.name,
        .request_id = std::string(request.id.text()),
        .trace_id = request.trace_id()};
}

void record_change(App& app, const Request& request, const Admin& admin, AdminChange change) {
    record_change(app, author_of(request, admin), std::move(change));
}

void record_change(App& app, const Author& author, AdminChange change) {
    if (app.audit == nullptr) return;
    app.audit->note({
        .at = {},
        .who = author.who,
        .what = std::move(change.what),
        .subject = std::move(change.subject),
        .reason = std::move(change.reason),
        .trace_id = author.trace_id,
        .before = std::move(change.before),
        .after = std::move(change.after),
    });
}

Awaitable<Response> list_audit(const Request& request, IoThread& io, App& app) {
    Response response;
    if (!require_admin(request, response, app, AdminScope::read)) co_return response;
    auto query = parse_audit_query(request.query);
    if (!query) co_return problem_response(request, problem(std::move(query.error())));
    if (app.audit == nullptr) {
        co_return problem_response(request, problem(ProblemCode::not_found, nothing_kept));
    }
    StartCall<Result> start = [&app, query = *query](auto done) {
        return app.audit->ask([query, done = std::move(done)](AuditLog& log) mutable {
            done(log.list(query.limit, query.below));
        });
    };
    const auto deadline = io.clock().monotonic() + io.options().timeouts.reply;
    const auto answer = co_await await_call<Result>(io, deadline, std::move(start));
    if (!answer) co_return problem_response(request, problem_of_read(answer.error(), request));
    if (!*answer) {
        const auto wait = please_wait(WaitReason::storage_unavailable, chance_of(request));
        co_return problem_response(request, wait);
    }
    response.content_type = json_content_type;
    append_page(response.body, **answer);
    co_return response;
}

}  // namespace firstcome::http
