// src/http/admin_handler.cpp - what a sale manager asks: stock, figures, do they add up
#include "http/admin_handler.hpp"

#include "base/assert.hpp"
#include "http/answers.hpp"
#include "http/await.hpp"
#include "http/backlog_json.hpp"
#include "http/breakers_handler.hpp"
#include "http/idempotency_key.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/query_string.hpp"
#include "http/stock_json.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <expected>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace firstcome::http {

namespace {

// Keys of changes count for all admins together, so that a token may change between two tries.
constexpr std::string_view key_scope = "admin";
constexpr std::string_view no_certificate =
    "Admin routes need a client certificate here, beside the token.";
constexpr std::string_view other_scope =
    "This admin token has another scope; use one that may do this.";

std::expected<domain::StockChange, Problem> change_of(
    const Request& request, const App& app, const Admin& admin
) {
    if (!is_json(request.content_type)) {
        return std::unexpected(problem(ProblemCode::unsupported_media_type));
    }
    auto change = parse_stock_change(request.body);
    if (!change) return std::unexpected(problem(std::move(change.error())));
    change->who = admin.name;
    change->trace_id = request.trace_id();
    if (request.idempotency_key_count > 0) {
        const auto key =
            parse_idempotency_key(request.idempotency_key, request.idempotency_key_count);
        if (!key) return std::unexpected(problem(key.error()));
        change->key = app.hash.hash128(key_scope, *key);
    }
    return *change;
}

std::string milliseconds(const std::optional<double>& seconds) {
    return seconds ? fmt::format("{:.3f}", *seconds * 1e3) : "null";
}

void append_stats_item(std::string& out, const domain::StockFigures& figures) {
    out += R"({"itemId":)";
    append_id(out, figures.item.text());
    fmt::format_to(
        std::back_inserter(out),
        R"(,"initial":{},"restocked":{},"remaining":{},"sold":{},"compensating":{},"orders":{}}})",
        figures.initial,
        figures.restocked,
        figures.remaining,
        figures.sold,
        figures.compensating,
        figures.orders
    );
}

}  // namespace

std::optional<Admin> require_admin(
    const Request& request, Response& response, const App& app, AdminScope wanted
) {
    const auto refuse = [&](ProblemCode why, std::string_view detail = {}) {
        answer_problem(request, problem(why, detail), response);
        return std::nullopt;
    };
    if (app.admin_certificate_required && !request.certified) {
        return refuse(ProblemCode::forbidden, no_certificate);
    }
    auto admin = app.admin_tokens.find(bearer_token(request.authorization), wanted);
    if (admin) return std::move(*admin);
    switch (admin.error()) {
        case AdminFault::unknown: return refuse(ProblemCode::unauthorized);
        case AdminFault::not_scoped: return refuse(ProblemCode::forbidden, other_scope);
    }
    FC_UNREACHABLE();
}

Awaitable<Response> post_stock(const Request& request, IoThread& io, App& app) {
    Response response;
    const auto admin = require_admin(request, response, app, AdminScope::stock);
    if (!admin) co_return response;
    auto change = change_of(request, app, *admin);
    if (!change) co_return problem_response(request, change.error());

    auto ask = [&app, change = *change](std::move_only_function<void(app::StockReply)> done) {
        return app.stock_desk.change(change, std::move(done));
    };
    const auto deadline = io.clock().monotonic() + io.options().timeouts.reply;
    StartCall<app::StockReply> start{std::move(ask)};
    const auto reply = co_await await_call<app::StockReply>(io, deadline, std::move(start));
    if (!reply) co_return problem_response(request, problem_of_change(reply.error(), request));
    if (!*reply) co_return problem_response(request, problem(reply->error(), chance_of(request)));
    if (const auto* no = std::get_if<domain::StockRejected>(&**reply)) {
        co_return problem_response(request, problem(*no));
    }
    const auto& changed = std::get<ports::StockChanged>(**reply);
    log::info(
        "stock changed",
        {{"item", changed.figures.item.text()},
         {"operation", name(change->operation)},
         {"quantity", change->quantity},
         {"total", changed.figures.total()},
         {"replayed", changed.replayed},
         {"request_id", request.id.text()},
         {"who", change->who},
         {"trace_id", change->trace_id}}
    );
    response.content_type = json_content_type;
    if (changed.replayed) response.add_header("Idempotent-Replayed", "true");
    append_stock(response.body, changed.figures);
    co_return response;
}

void get_stats(const Request& request, Response& response, App& app) {
    if (!require_admin(request, response, app, AdminScope::read)) return;
    const auto wanted = parse_item_query(request.query);
    if (!wanted) return answer_problem(request, problem(wanted.error()), response);
    auto items = app.stock_desk.all_stock();
    if (*wanted) {
        std::erase_if(items, [&](const auto& figures) { return figures.item != **wanted; });
        if (items.empty()) {
            return answer_problem(request, problem(ProblemCode::item_not_found), response);
        }
    }
    domain::StockFigures total;
    for (const domain::StockFigures& figures : items) {
        total.initial += figures.initial;
        total.restocked += figures.restocked;
        total.remaining += figures.remaining;
        total.sold += figures.sold;
        total.compensating += figures.compensating;
        total.orders += figures.orders;
    }
    const RecentRates rates = app.recent_rates();
    response.content_type = json_content_type;
    std::string& out = response.body;
    fmt::format_to(
        std::back_inserter(out),
        R"({{"initial":{},"restocked":{},"remaining":{},"sold":{},"compensating":{},"orders":{},)"
        R"("ordersPerSecond1s":{:.1f},"ordersPerSecond10s":{:.1f},)"
        R"("latencyP50Ms":{},"latencyP99Ms":{},"outcomes":{{)",
        total.initial,
        total.restocked,
        total.remaining,
        total.sold,
        total.compensating,
        total.orders,
        rates.orders_per_second_1s,
        rates.orders_per_second_10s,
        milliseconds(rates.p50_seconds),
        milliseconds(rates.p99_seconds)
    );
    bool first = true;
    for (const OutcomeTotal& each : app.outcomes()) {
        fmt::format_to(
            std::back_inserter(out), R"({}"{}":{})", first ? "" : ",", each.outcome, each.count
        );
        first = false;
    }
    out += R"(},"breakers":)";
    append_breakers(out, app);
    append_backlog(out, app);
    out += R"(,"items":[)";
    for (const domain::StockFigures& figures : items) {
        if (out.back() == '}') out += ',';
        append_stats_item(out, figures);
    }
    out += "]}";
}

void get_conservation(const Request& request, Response& response, App& app) {
    if (!require_admin(request, response, app, AdminScope::read)) return;
    const auto items = app.stock_desk.all_stock();
    const auto drifts = app.drifts ? app.drifts() : std::vector<ports::StoreDrift>{};
    response.content_type = json_content_type;
    if (append_conservation(response.body, items, drifts)) return;
    app.invariant_violated();
    log::error("stock does not add up", {{"trace_id", request.trace_id()}});
}

}  // namespace firstcome::http
