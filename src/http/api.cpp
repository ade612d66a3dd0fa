// src/http/api.cpp - the table of everything the service answers
#include "http/api.hpp"

#include "base/assert.hpp"
#include "http/admin_handler.hpp"
#include "http/alerts_handler.hpp"
#include "http/answers.hpp"
#include "http/audit_handler.hpp"
#include "http/breakers_handler.hpp"
#include "http/dlq_handler.hpp"
#include "http/health_handler.hpp"
#include "http/in_flight.hpp"
#include "http/json.hpp"
#include "http/log_handler.hpp"
#include "http/openapi.hpp"
#include "http/orders_handler.hpp"

#include <memory>
#include <string>
#include <utility>

namespace firstcome::http {

namespace {

using Handler = decltype(Route::handler);

/// A route and its description; the same rows as docs/api.md.
struct Row {
    RouteDoc doc;
    Handler handler;
    std::size_t body_max = 0;  ///< bytes; 0: takes no body
};

AnswerNow now(void (*handler)(const Request&, Response&, App&), App& app) {
    return [handler, &app](const Request& request, Response& response) {
        handler(request, response, app);
    };
}

using LaterHandler = Awaitable<Response> (*)(const Request&, IoThread&, App&);

InFlight& bound_of(const Request& request, InFlightBounds& bounds) {
    switch (request.route->limited_as) {
        case app::RouteClass::batch: return bounds.batches;
        case app::RouteClass::admin: return bounds.admin;
        case app::RouteClass::open:
        case app::RouteClass::orders:
        case app::RouteClass::reads: return bounds.reads;
    }
    FC_UNREACHABLE();
}

Awaitable<Response> bounded(LaterHandler handler, const Request& request, IoThread& io, App& app) {
    const InFlight::Place place{bound_of(request, *app.in_flight)};
    if (!place.taken()) {
        co_return problem_response(
            request, please_wait(WaitReason::overloaded, chance_of(request))
        );
    }
    co_return co_await handler(request, io, app);
}

AnswerLater later(LaterHandler handler, App& app) {
    return [handler, &app](const Request& request, IoThread& io) {
        if (app.in_flight == nullptr) return handler(request, io, app);
        return bounded(handler, request, io, app);
    };
}

std::vector<Row> rows(App& app, OrderEndpoint& orders) {
    const std::size_t order_max = app.options.order_body_max;
    const std::size_t batch_max = app.options.batch_body_max;
    return {
        {{.method = "POST",
          .path = "/api/v1/orders",
          .summary = "Place an order: first come, first served",
          .buyer = true,
          .request_schema = "OrderRequest",
          .parameters = {"idempotencyKey", "deadlineMs"},
          .answers = {{202, "Order", "Accepted, and durable as `durability` says"}}},
         &orders,
         order_max},
        {{.method = "POST",
          .path = "/api/v1/orders:batch",
          .summary = "Place up to 1,000 orders; each stands alone",
          .buyer = true,
          .request_schema = "BatchRequest",
          .parameters = {"deadlineMs"},
          .answers = {{200, "BatchAnswer", "One outcome per order, in the same order"}}},
         later(post_order_batch, app),
         batch_max},
        {{.method = "GET",
          .path = "/api/v1/orders/{orderId}",
          .summary = "One order",
          .buyer = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Order", "The order, with an ETag"}, {304, "", "Not changed"}}},
         later(get_order, app)},
        {{.method = "GET",
          .path = "/api/v1/orders",
          .summary = "A user's orders, newest first",
          .buyer = true,
          .request_schema = {},
          .parameters = {"userId", "itemId", "status", "limit", "cursor"},
          .answers = {{200, "OrderPage", "A page; `nextCursor` leads to the next"}}},
         later(list_orders, app)},
        {{.method = "GET",
          .path = "/api/v1/orders/count",
          .summary = "How many orders were accepted",
          .request_schema = {},
          .parameters = {"itemId"},
          .answers = {{200, "Count", "Of one item, or of all"}}},
         now(count_orders, app)},
        {{.method = "GET",
          .path = "/api/v1/orders/stock/{itemId}",
          .summary = "An item's stock",
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Stock", "As of the last durable order"}}},
         now(get_stock, app)},
        {{.method = "POST",
          .path = "/api/v1/admin/stock",
          .summary = "Set, add or remove stock; set the sale's window and the per-user limit",
          .admin = true,
          .request_schema = "StockChange",
          .parameters = {"idempotencyKey"},
          .answers = {{200, "Stock", "The figures right after the change"}}},
         later(post_stock, app),
         order_max},
        {{.method = "GET",
          .path = "/api/v1/admin/stats",
          .summary = "Totals, rates and figures per item",
          .admin = true,
          .request_schema = {},
          .parameters = {"itemId"},
          .answers = {{200, "Stats", "Conserved in every answer"}}},
         now(get_stats, app)},
        {{.method = "GET",
          .path = "/api/v1/admin/audit",
          .summary = "Who changed what, newest first",
          .admin = true,
          .request_schema = {},
          .parameters = {"limit", "cursor"},
          .answers = {{200, "AuditPage", "A page; `nextCursor` leads to the next"}}},
         later(list_audit, app)},
        {{.method = "GET",
          .path = "/api/v1/admin/audit/conservation",
          .summary = "Does every item's stock add up",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Conservation", "`ok` when no item drifts"}}},
         now(get_conservation, app)},
        {{.method = "GET",
          .path = "/api/v1/admin/breakers",
          .summary = "The circuit breakers",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Breakers", "An empty list where nothing is guarded"}}},
         now(get_breakers, app)},
        {{.method = "POST",
          .path = "/api/v1/admin/breakers/{name}/open",
          .summary = "Open a circuit breaker until it is closed by hand",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Breaker", "As it is now"}}},
         now(open_breaker, app)},
        {{.method = "POST",
          .path = "/api/v1/admin/breakers/{name}/close",
          .summary = "Close a circuit breaker; one that is closed stays as it is",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Breaker", "As it is now"}}},
         now(close_breaker, app)},
        {{.method = "POST",
          .path = "/api/v1/admin/breakers/{name}/reset",
          .summary = "Close a circuit breaker and forget what it has counted",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Breaker", "As it is now"}}},
         now(reset_breaker, app)},
        {{.method = "GET",
          .path = "/api/v1/admin/alerts",
          .summary = "The alerts that fire now",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Alerts", "Of the built-in rules; empty where they are off"}}},
         now(get_alerts, app)},
        {{.method = "GET",
          .path = "/api/v1/admin/log-level",
          .summary = "How much is logged",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "LogLevel", "As it is now"}}},
         now(get_log_level, app)},
        {{.method = "PUT",
          .path = "/api/v1/admin/log-level",
          .summary = "Log more or less, until the next change or restart",
          .admin = true,
          .request_schema = "LogLevelChange",
          .parameters = {},
          .answers = {{200, "LogLevel", "As it is now"}}},
         now(set_log_level, app),
         order_max},
        {{.method = "POST",
          .path = "/api/v1/admin/log-level",
          .summary = "The same as PUT",
          .admin = true,
          .request_schema = "LogLevelChange",
          .parameters = {},
          .answers = {{200, "LogLevel", "As it is now"}}},
         now(set_log_level, app),
         order_max},
        {{.method = "GET",
          .path = "/livez",
          .summary = "Liveness: event loops and lanes move",
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Health", "Alive"}, {503, "Health", "Something is stuck"}}},
         now(get_livez, app)},
        {{.method = "GET",
          .path = "/readyz",
          .summary = "Readiness: takes connections",
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Health", "Ready"}, {503, "Health", "Starting or draining"}}},
         now(get_readyz, app)},
        {{.method = "GET",
          .path = "/startupz",
          .summary = "The start is over",
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Health", "Started"}, {503, "Health", "Starting"}}},
         now(get_startupz, app)},
        {{.method = "GET",
          .path = "/metrics",
          .summary = "Prometheus metrics",
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "", "Prometheus text format"}}},
         now(get_metrics, app)},
    };
}

std::vector<Row> health_rows(App& app) {
    if (app.health == nullptr) return {};
    return {
        {{.method = "GET",
          .path = "/actuator/health",
          .summary = "How the service is; with the admin token, each of its components",
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Health", "Up or unknown"}, {503, "Health", "Down or out of service"}}},
         now(get_health, app)},
        {{.method = "GET",
          .path = "/actuator/health/{component}",
          .summary = "One component or group of components; with the admin token, why",
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "Health", "Up or unknown"}, {503, "Health", "Down or out of service"}}},
         now(get_health_of, app)},
    };
}

std::vector<Row> dead_letter_rows(App& app) {
    const std::size_t body_max = app.options.order_body_max;
    return {
        {{.method = "GET",
          .path = "/api/v1/admin/dlq",
          .summary = "Events that could not be delivered, newest first",
          .admin = true,
          .request_schema = {},
          .parameters = {"deadLetterStatus", "cause", "itemId", "consumer", "limit", "cursor"},
          .answers = {{200, "DeadLetterPage", "A page; `nextCursor` leads to the next"}}},
         later(list_dead_letters, app)},
        {{.method = "GET",
          .path = "/api/v1/admin/dlq/{id}",
          .summary = "One dead letter",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "DeadLetter", "The entry"}}},
         later(get_dead_letter, app)},
        {{.method = "POST",
          .path = "/api/v1/admin/dlq/{id}/retry",
          .summary = "Try a dead letter again now, with a fresh set of attempts",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{202, "DeadLetter", "It is due"}}},
         later(retry_dead_letter, app)},
        {{.method = "POST",
          .path = "/api/v1/admin/dlq/{id}/discard",
          .summary = "Give a dead letter up; an order's units go back, once",
          .admin = true,
          .request_schema = "Discard",
          .parameters = {},
          .answers = {{202, "DeadLetter", "It is given up; the units are on their way back"}}},
         later(discard_dead_letter, app),
         body_max},
        {{.method = "POST",
          .path = "/api/v1/admin/dlq/redrive",
          .summary = "Try all dead letters of a kind again, slowly",
          .admin = true,
          .request_schema = "Redrive",
          .parameters = {},
          .answers = {{202, "RedriveTask", "It runs"}}},
         later(post_redrive, app),
         body_max},
        {{.method = "GET",
          .path = "/api/v1/admin/dlq/redrive",
          .summary = "The redrives, newest first",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "RedriveTasks", "At most 100"}}},
         later(list_redrives, app)},
        {{.method = "GET",
          .path = "/api/v1/admin/dlq/redrive/{task}",
          .summary = "One redrive",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "RedriveTask", "How far it is"}}},
         later(get_redrive, app)},
        {{.method = "DELETE",
          .path = "/api/v1/admin/dlq/redrive/{task}",
          .summary = "Cancel a redrive; what it moved stays due",
          .admin = true,
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "RedriveTask", "As it ended"}}},
         later(cancel_redrive, app)},
    };
}

}  // namespace

Audience audience_of(std::string_view path) {
    if (path.starts_with("/api/v1/admin/")) return {.operators = true};
    if (path == "/metrics" || path.starts_with("/actuator/")) {
        return {.operators = true, .probes = true};
    }
    if (path == "/openapi.json") return {.buyers = true, .operators = true};
    if (path == "/livez" || path == "/readyz" || path == "/startupz") {
        return {.buyers = true, .operators = true, .probes = true};
    }
    return {.buyers = true};
}

std::vector<Route> api_routes(App& app, OrderEndpoint& orders) {
    std::vector<Row> table = rows(app, orders);
    for (Row& row : dead_letter_rows(app)) table.push_back(std::move(row));
    for (Row& row : health_rows(app)) table.push_back(std::move(row));
    const auto document = std::make_shared<std::string>();
    table.push_back(
        {{.method = "GET",
          .path = "/openapi.json",
          .summary = "This description",
          .request_schema = {},
          .parameters = {},
          .answers = {{200, "", "OpenAPI 3.1"}}},
         [document](const Request&, Response& response) {
             response.content_type = json_content_type;
             response.body = *document;
         }}
    );
    std::vector<Route> routes;
    std::vector<RouteDoc> docs;
    for (Row& row : table) {
        docs.push_back(row.doc);
        routes.push_back(Route{
            .method = method_from(row.doc.method),
            .path = std::string(row.doc.path),
            .handler = std::move(row.handler),
            .body_size_max = row.body_max,
        });
    }
    *document = openapi(docs, app.options.version);
    return routes;
}

}  // namespace firstcome::http
