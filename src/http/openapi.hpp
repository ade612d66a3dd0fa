// src/http/openapi.hpp - describes the routes as an OpenAPI 3.1 document
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

struct AnswerDoc {
    int status = 200;
    std::string_view schema;  ///< a name of components/schemas; empty: no JSON body
    std::string_view description;
};

/// One route as its reader sees it. Problem answers need not be listed: every route has them as
/// `default`.
struct RouteDoc {
    std::string_view method;   ///< "GET"
    std::string_view path;     ///< "/api/v1/orders/{orderId}": names in braces are parameters
    std::string_view summary;  ///< one sentence
    bool admin = false;        ///< needs an admin's bearer token
    bool buyer = false;        ///< needs a buyer's bearer token where auth.mode = jwt
    std::string_view request_schema;           ///< a name of components/schemas; empty: no body
    std::vector<std::string_view> parameters;  ///< names of components/parameters: "limit", ...
    std::vector<AnswerDoc> answers;
};

/// The document as JSON. Schemas: Buyer, OrderRequest, Order, OrderPage, BatchRequest, BatchAnswer,
/// Count, Stock, StockChange, Conservation, AuditPage, Breaker, Breakers, Alert, Alerts, LogLevel,
/// LogLevelChange, Health, Stats, Problem, DeadLetter, DeadLetterPage, Discard, Redrive,
/// RedriveTask, RedriveTasks, Cause. Parameters: userId, itemId, status, limit, cursor,
/// idempotencyKey, deadLetterStatus, cause, consumer; names in braces of a path are added by
/// themselves.
[[nodiscard]] std::string openapi(
    std::span<const RouteDoc> routes, std::string_view service_version
);

}  // namespace firstcome::http
