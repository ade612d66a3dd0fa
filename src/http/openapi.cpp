// src/http/openapi.cpp - the OpenAPI document: routes from the table, schemas from here
#include "http/openapi.hpp"

#include "base/assert.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cctype>

namespace firstcome::http {

namespace {

namespace json = boost::json;

/// components/schemas, but for Problem, which is made from the table of problems.
constexpr std::string_view schemas_text = R"json({
  "Id": {
    "description": "Chosen by the client. A canonical 64-bit integer is rendered as a number.",
    "oneOf": [
      {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
      {"type": "integer", "format": "int64"}
    ]
  },
  "Buyer": {
    "description": "Required, unless auth.mode = jwt: then it is the token's, and may be left out.",
    "allOf": [{"$ref": "#/components/schemas/Id"}]
  },
  "OrderRequest": {
    "type": "object", "additionalProperties": false, "required": ["itemId", "quantity"],
    "properties": {
      "userId": {"$ref": "#/components/schemas/Buyer"},
      "itemId": {"$ref": "#/components/schemas/Id"},
      "quantity": {"type": "integer", "minimum": 1, "description": "1000 at most by default."}
    }
  },
  "BatchRequest": {
    "type": "object", "additionalProperties": false, "required": ["orders"],
    "properties": {
      "orders": {
        "type": "array", "minItems": 1, "maxItems": 1000,
        "items": {
          "type": "object", "additionalProperties": false, "required": ["itemId", "quantity"],
          "properties": {
            "userId": {"$ref": "#/components/schemas/Buyer"},
            "itemId": {"$ref": "#/components/schemas/Id"},
            "quantity": {"type": "integer", "minimum": 1,
              "description": "1000 at most by default."},
            "idempotencyKey": {"type": "string", "pattern": "^[!-~]{1,255}$"}
          }
        }
      }
    }
  },
  "Order": {
    "type": "object",
    "required": ["orderId", "userId", "itemId", "quantity", "status", "sequence", "acceptedAt",
      "durability"],
    "properties": {
      "orderId": {"type": "string", "format": "uuid", "description": "A UUIDv7: sorts by time."},
      "userId": {"$ref": "#/components/schemas/Id"},
      "itemId": {"$ref": "#/components/schemas/Id"},
      "quantity": {"type": "integer", "minimum": 1},
      "status": {"enum": ["processing", "confirmed", "failed"]},
      "sequence": {"type": "integer", "minimum": 1,
        "description": "The place in the item's line, without gaps."},
      "acceptedAt": {"type": "string", "format": "date-time"},
      "durability": {"enum": ["disk", "redis", "database"],
        "description": "The loss this answer survives."}
    }
  },
  "OrderPage": {
    "type": "object", "required": ["items", "nextCursor"],
    "properties": {
      "items": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}},
      "nextCursor": {"type": ["string", "null"], "description": "Null on the last page."}
    }
  },
  "BatchAnswer": {
    "type": "object", "required": ["outcomes"],
    "properties": {
      "outcomes": {
        "type": "array", "description": "One per order, in the same order; each stands alone.",
        "items": {
          "oneOf": [
            {
              "type": "object", "required": ["status", "location", "idempotentReplayed", "order"],
              "properties": {
                "status": {"const": 202},
                "location": {"type": "string", "format": "uri-reference"},
                "idempotentReplayed": {"type": "boolean"},
                "order": {"$ref": "#/components/schemas/Order"}
              }
            },
            {
              "type": "object", "required": ["status", "problem"],
              "properties": {
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "problem": {"$ref": "#/components/schemas/Problem"}
              }
            }
          ]
        }
      }
    }
  },
  "Count": {
    "type": "object", "required": ["count"],
    "properties": {"count": {"type": "integer", "minimum": 0}}
  },
  "Stock": {
    "type": "object",
    "description": "initial + restocked = remaining + sold + compensating, in every answer.",
    "required": ["itemId", "initial", "remaining", "restocked", "sold", "compensating", "orders",
                 "opensAt", "closesAt", "perUserLimit", "asOf"],
    "properties": {
      "itemId": {"$ref": "#/components/schemas/Id"},
      "initial": {"type": "integer", "minimum": 0},
      "remaining": {"type": "integer", "minimum": 0},
      "restocked": {"type": "integer", "description": "Net of removals, so it may be negative."},
      "sold": {"type": "integer", "minimum": 0},
      "compensating": {"type": "integer", "minimum": 0},
      "orders": {"type": "integer", "minimum": 0,
        "description": "Accepted so far: the last sequence."},
      "opensAt": {"type": ["string", "null"], "format": "date-time"},
      "closesAt": {"type": ["string", "null"], "format": "date-time"},
      "perUserLimit": {"type": ["integer", "null"], "minimum": 1},
      "asOf": {"type": "string", "format": "date-time"},
      "stale": {"const": true, "description": "There when this is the last known value."}
    }
  },
  "StockChange": {
    "type": "object", "additionalProperties": false, "required": ["itemId", "operation",
      "quantity"],
    "properties": {
      "itemId": {"$ref": "#/components/schemas/Id"},
      "operation": {"enum": ["set", "add", "remove"]},
      "quantity": {"type": "integer", "minimum": 0, "maximum": 1000000000000},
      "opensAt": {"type": ["string", "null"], "format": "date-time", "description": "Null clears."},
      "closesAt": {"type": ["string", "null"], "format": "date-time",
        "description": "Null clears."},
      "perUserLimit": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000000000000,
        "description": "Null clears."},
      "reason": {"type": "string", "maxLength": 500, "pattern": "^[^\\u0000]*$"}
    }
  },
  "Conservation": {
    "type": "object", "required": ["ok", "items"],
    "properties": {
      "ok": {"type": "boolean"},
      "items": {
        "type": "array",
        "items": {
          "type": "object", "required": ["itemId", "drift"],
          "properties": {
            "itemId": {"$ref": "#/components/schemas/Id"},
            "drift": {"type": "integer", "description": "Units; 0 unless a promise was broken."},
            "difference": {"type": "string", "description":
              "Between the two stores, while there is one: what was expected, what was found."}
          }
        }
      }
    }
  },
  "AuditPage": {
    "type": "object", "required": ["entries", "nextCursor"],
    "properties": {
      "entries": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["at", "who", "what", "subject", "reason", "traceId", "before", "after"],
          "properties": {
            "at": {"type": "string", "format": "date-time"},
            "who": {"type": "string", "description": "The admin token's name."},
            "what": {"type": "string", "description": "stock.set, breaker.open, ..."},
            "subject": {"type": "string", "description": "What it was done to."},
            "reason": {"type": "string"},
            "traceId": {"type": "string"},
            "before": {"type": ["object", "null"]},
            "after": {"type": ["object", "null"]}
          }
        }
      },
      "nextCursor": {"type": ["string", "null"], "description": "Null on the last page."}
    }
  },
  "DeadLetter": {
    "type": "object",
    "required": ["id", "status", "cause", "consumer", "eventId", "eventType", "orderId", "itemId",
      "attempts", "firstFailure", "lastFailure", "nextAttempt", "lastError", "traceId", "payload"],
    "properties": {
      "id": {"type": "integer", "minimum": 1},
      "status": {"enum": ["retrying", "dead", "resolved", "discarded"]},
      "cause": {"$ref": "#/components/schemas/Cause"},
      "consumer": {"type": "string", "description": "Who refused it: orders, webhook."},
      "eventId": {"type": "string", "format": "uuid",
        "description": "The same in every delivery."},
      "eventType": {"enum": ["order.accepted", "order.confirmed", "order.failed", "stock.low",
        "stock.sold_out"]},
      "orderId": {"type": "string", "format": "uuid"},
      "itemId": {"$ref": "#/components/schemas/Id"},
      "attempts": {"type": "integer", "minimum": 0,
        "description": "Refused deliveries; an outage does not count."},
      "firstFailure": {"type": "string", "format": "date-time"},
      "lastFailure": {"type": "string", "format": "date-time"},
      "nextAttempt": {"type": ["string", "null"], "format": "date-time",
        "description": "Null unless retrying."},
      "lastError": {"type": "string"},
      "traceId": {"type": ["string", "null"]},
      "payload": {
        "description": "The order; of stock events the item's `remaining` and `total` besides.",
        "type": "object",
        "properties": {"remaining": {"type": "integer"}, "total": {"type": "integer"}}
      }
    }
  },
  "Cause": {"enum": ["unavailable", "overloaded", "conflict", "invalid", "duplicate", "rejected"]},
  "DeadLetterPage": {
    "type": "object",
    "required": ["entries", "total", "oldestAgeSeconds", "byCause", "nextCursor"],
    "properties": {
      "entries": {"type": "array", "items": {"$ref": "#/components/schemas/DeadLetter"}},
      "total": {"type": "integer", "minimum": 0, "description": "All that match the query."},
      "oldestAgeSeconds": {"type": ["integer", "null"], "minimum": 0,
        "description": "Of the oldest one retrying or dead, whatever the query; null: none is."},
      "byCause": {"type": "object", "description": "Those retrying or dead, whatever the query.",
        "additionalProperties": {"type": "integer", "minimum": 0}},
      "nextCursor": {"type": ["string", "null"], "description": "Null on the last page."}
    }
  },
  "Discard": {
    "type": "object", "additionalProperties": false, "required": ["reason"],
    "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 500,
      "pattern": "^[^\\u0000]*$"}}
  },
  "Redrive": {
    "type": "object", "additionalProperties": false,
    "properties": {
      "filter": {
        "type": "object", "additionalProperties": false, "description": "None: all that is dead.",
        "properties": {
          "cause": {"$ref": "#/components/schemas/Cause"},
          "itemId": {"$ref": "#/components/schemas/Id"},
          "consumer": {"type": "string", "maxLength": 64, "pattern": "^[^\\u0000]*$"}
        }
      },
      "maxPerSecond": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}
    }
  },
  "RedriveTask": {
    "type": "object",
    "required": ["task", "status", "filter", "maxPerSecond", "moved", "total", "startedAt",
      "endedAt"],
    "properties": {
      "task": {"type": "integer", "minimum": 1},
      "status": {"enum": ["running", "done", "cancelled"]},
      "filter": {"type": "object"},
      "maxPerSecond": {"type": "integer", "minimum": 1},
      "moved": {"type": "integer", "minimum": 0, "description": "Made due so far."},
      "total": {"type": "integer", "minimum": 0, "description": "Dead ones when it began."},
      "startedAt": {"type": "string", "format": "date-time"},
      "endedAt": {"type": ["string", "null"], "format": "date-time"}
    }
  },
  "RedriveTasks": {
    "type": "object", "required": ["tasks"],
    "properties": {
      "tasks": {"type": "array", "items": {"$ref": "#/components/schemas/RedriveTask"}}
    }
  },
  "Breaker": {
    "type": "object",
    "required": ["name", "state", "failureRate", "slowCallRate", "bufferedCalls", "failedCalls",
      "slowCalls", "slowFailedCalls", "notPermittedCalls"],
    "properties": {
      "name": {"type": "string"},
      "state": {"enum": ["CLOSED", "OPEN", "HALF_OPEN", "DISABLED", "FORCED_OPEN",
        "METRICS_ONLY"]},
      "failureRate": {"type": "number", "description": "Percent; -1: too few calls to tell."},
      "slowCallRate": {"type": "number", "description": "Percent; -1: too few calls to tell."},
      "bufferedCalls": {"type": "integer", "minimum": 0,
        "description": "In the window that decides."},
      "failedCalls": {"type": "integer", "minimum": 0},
      "slowCalls": {"type": "integer", "minimum": 0},
      "slowFailedCalls": {"type": "integer", "minimum": 0},
      "notPermittedCalls": {"type": "integer", "minimum": 0,
        "description": "Since the last change of state."}
    }
  },
  "Breakers": {
    "type": "object", "required": ["breakers"],
    "properties": {
      "breakers": {"type": "array", "items": {"$ref": "#/components/schemas/Breaker"}}
    }
  },
  "Alert": {
    "type": "object", "required": ["name", "severity", "labels", "summary", "startsAt"],
    "properties": {
      "name": {"enum": ["StockLow", "StockSoldOut", "OrderErrorRateHigh", "OrderLatencyHigh",
        "DlqGrowing", "DlqStale", "OutboxStalled", "BreakerOpen", "InvariantViolated"]},
      "severity": {"enum": ["info", "warning", "critical"]},
      "labels": {"type": "object", "description": "item, name, outbox, instance"},
      "summary": {"type": "string"},
      "startsAt": {"type": "string", "format": "date-time"}
    }
  },
  "Alerts": {
    "type": "object", "required": ["enabled", "alerts"],
    "properties": {
      "enabled": {"type": "boolean",
        "description": "alerts.enabled; false: nobody looks at the rules, so the list is empty"},
      "alerts": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}}
    }
  },
  "LogLevelChange": {
    "type": "object", "required": ["level"], "additionalProperties": false,
    "properties": {
      "level": {"enum": ["trace", "debug", "info", "warn", "error", "off"]}
    }
  },
  "LogLevel": {
    "type": "object", "required": ["level", "droppedLines"],
    "properties": {
      "level": {"enum": ["trace", "debug", "info", "warn", "error", "off"]},
      "droppedLines": {"type": "integer", "minimum": 0,
        "description": "Lines lost since the start because too many waited."}
    }
  },
  "Health": {
    "type": "object", "required": ["status"],
    "properties": {
      "status": {"enum": ["UP", "DOWN", "OUT_OF_SERVICE", "UNKNOWN"]},
      "stage": {"enum": ["starting", "serving", "draining"], "description": "/readyz, /startupz."},
      "stuck": {"type": "array", "items": {"type": "string"},
        "description": "/livez: the threads that do not move."},
      "components": {"type": "object", "description": "For operators; each as this schema.",
        "additionalProperties": {"$ref": "#/components/schemas/Health"}},
      "details": {"type": "object", "description": "For operators; `reason` says why."},
      "groups": {"type": "array", "items": {"type": "string"}}
    }
  },
  "Waiting": {
    "type": "object", "required": ["pending", "oldestAgeSeconds"],
    "properties": {
      "stage": {"enum": ["orders", "webhook"]},
      "lane": {"type": "integer", "minimum": 0},
      "pending": {"type": "integer", "minimum": 0},
      "oldestAgeSeconds": {"type": "number", "minimum": 0, "description": "0: nothing waits."}
    }
  },
  "Stats": {
    "type": "object",
    "required": ["initial", "restocked", "remaining", "sold", "compensating", "orders",
      "ordersPerSecond1s", "ordersPerSecond10s", "latencyP50Ms", "latencyP99Ms", "outcomes",
      "breakers", "outbox", "dlq", "troubles", "items"],
    "properties": {
      "initial": {"type": "integer", "minimum": 0},
      "restocked": {"type": "integer"},
      "remaining": {"type": "integer", "minimum": 0},
      "sold": {"type": "integer", "minimum": 0},
      "compensating": {"type": "integer", "minimum": 0},
      "orders": {"type": "integer", "minimum": 0},
      "ordersPerSecond1s": {"type": "number", "minimum": 0},
      "ordersPerSecond10s": {"type": "number", "minimum": 0},
      "latencyP50Ms": {"type": ["number", "null"], "description": "Null: no order lately."},
      "latencyP99Ms": {"type": ["number", "null"]},
      "outcomes": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
      "breakers": {"type": "array", "items": {"$ref": "#/components/schemas/Breaker"}},
      "outbox": {
        "description": "Decided and not delivered yet: the sum, and each line.",
        "allOf": [{"$ref": "#/components/schemas/Waiting"}, {
          "type": "object", "required": ["lines"],
          "properties": {
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Waiting"}}
          }
        }]
      },
      "dlq": {
        "type": "object", "required": ["depth", "oldestAgeSeconds", "byCause"],
        "properties": {
          "depth": {"type": "integer", "minimum": 0},
          "retrying": {"type": "integer", "minimum": 0},
          "dead": {"type": "integer", "minimum": 0},
          "oldestAgeSeconds": {"type": "number", "minimum": 0, "description": "0: none is open."},
          "byCause": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
        }
      },
      "troubles": {"type": "array", "items": {"type": "string"},
        "description": "What stands still until somebody mends it: what, where, what to do."},
      "items": {
        "type": "array",
        "items": {
          "type": "object",
          "required": ["itemId", "initial", "restocked", "remaining", "sold", "compensating",
            "orders"],
          "properties": {
            "itemId": {"$ref": "#/components/schemas/Id"},
            "initial": {"type": "integer", "minimum": 0},
            "restocked": {"type": "integer"},
            "remaining": {"type": "integer", "minimum": 0},
            "sold": {"type": "integer", "minimum": 0},
            "compensating": {"type": "integer", "minimum": 0},
            "orders": {"type": "integer", "minimum": 0}
          }
        }
      }
    }
  }
})json";

/// components/parameters.
constexpr std::string_view parameters_text = R"json({
  "userId": {"name": "userId", "in": "query", "schema": {"$ref": "#/components/schemas/Buyer"}},
  "itemId": {"name": "itemId", "in": "query", "schema": {"$ref": "#/components/schemas/Id"}},
  "status": {"name": "status", "in": "query", "schema": {"enum": ["processing", "confirmed",
    "failed"]}},
  "deadLetterStatus": {"name": "status", "in": "query", "schema": {"enum": ["retrying", "dead",
    "resolved", "discarded"]}},
  "cause": {"name": "cause", "in": "query", "schema": {"$ref": "#/components/schemas/Cause"}},
  "consumer": {"name": "consumer", "in": "query", "schema": {"type": "string"}},
  "limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1,
    "maximum": 100, "default": 20}},
  "cursor": {"name": "cursor", "in": "query", "description": "nextCursor of the page before.",
    "schema": {"type": "string"}},
  "idempotencyKey": {"name": "Idempotency-Key", "in": "header",
    "description": "The same key and request get the same answer. Bare or in double quotes.",
      "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"}},
  "deadlineMs": {"name": "Firstcome-Deadline-Ms", "in": "header",
    "description": "How long somebody waits: an order whose turn comes later is not executed.",
      "schema": {"type": "integer", "minimum": 1, "maximum": 3600000}}
})json";

/// Only for the texts above, which a test reads: they are JSON.
json::value parse_own(std::string_view text) {
    json::error_code error;
    json::value value = json::parse({text.data(), text.size()}, error);
    FC_ASSERT(!error);
    return value;
}

json::string_view view(std::string_view text) {
    return {text.data(), text.size()};
}

json::object schema_reference(std::string_view name) {
    return {{"$ref", "#/components/schemas/" + std::string{name}}};
}

json::object content_of(std::string_view content_type, std::string_view schema) {
    json::object content;
    content[view(content_type)] = json::object{{"schema", schema_reference(schema)}};
    return content;
}

json::object problem_schema() {
    json::array codes;
    for (std::size_t at = 0; at < problem_code_count; ++at) {
        codes.emplace_back(view(row(static_cast<ProblemCode>(at)).code));
    }
    json::object schema = parse_own(R"json({
      "type": "object", "required": ["type", "title", "status", "detail", "instance", "code"],
      "description": "RFC 9457; some codes have members of their own, such as remaining or errors.",
      "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to do next."},
        "instance": {"type": "string", "format": "uri-reference"},
        "traceId": {"type": "string"},
        "errors": {
          "type": "array",
          "items": {
            "type": "object", "required": ["pointer", "code"],
            "properties": {"pointer": {"type": "string"}, "code": {"type": "string"}}
          }
        }
      }
    })json")
                              .as_object();
    schema["properties"].as_object()["code"] = json::object{{"enum", std::move(codes)}};
    return schema;
}

/// The names in braces of a path, as path parameters of this route alone.
void add_path_parameters(std::string_view path, json::array& parameters) {
    for (std::size_t open = path.find('{'); open != std::string_view::npos;
         open = path.find('{', open + 1)) {
        const std::size_t close = path.find('}', open);
        FC_ASSERT(close != std::string_view::npos);
        const std::string_view name = path.substr(open + 1, close - open - 1);
        const bool is_id = name == "itemId";
        json::object schema = is_id ? schema_reference("Id") : json::object{{"type", "string"}};
        if (name == "orderId") schema["format"] = "uuid";
        if (name == "id" || name == "task") schema["type"] = "integer";
        parameters.push_back(json::object{
            {"name", view(name)}, {"in", "path"}, {"required", true}, {"schema", schema}});
    }
}

json::object describe(const RouteDoc& route) {
    json::object operation{{"summary", view(route.summary)}};
    if (route.admin) {
        operation["security"] = json::array{json::object{{"adminToken", json::array{}}}};
    } else if (route.buyer) {
        // An empty one says that it may be left out: auth.mode = none.
        operation["security"] =
            json::array{json::object{}, json::object{{"buyerToken", json::array{}}}};
    }
    json::array parameters;
    add_path_parameters(route.path, parameters);
    for (const std::string_view name : route.parameters) {
        parameters.push_back(json::object{{"$ref", "#/components/parameters/" + std::string{name}}}
        );
    }
    if (!parameters.empty()) operation["parameters"] = std::move(parameters);
    if (!route.request_schema.empty()) {
        operation["requestBody"] = json::object{
            {"required", true}, {"content", content_of(json_content_type, route.request_schema)}};
    }
    json::object answers;
    for (const AnswerDoc& answer : route.answers) {
        json::object described{{"description", view(answer.description)}};
        if (!answer.schema.empty()) {
            const bool is_problem = answer.schema == "Problem";
            described["content"] =
                content_of(is_problem ? problem_content_type : json_content_type, answer.schema);
        }
        answers[std::to_string(answer.status)] = std::move(described);
    }
    answers["default"] = json::object{{"$ref", "#/components/responses/Problem"}};
    operation["responses"] = std::move(answers);
    return operation;
}

}  // namespace

std::string openapi(std::span<const RouteDoc> routes, std::string_view service_version) {
    json::object paths;
    for (const RouteDoc& route : routes) {
        std::string method{route.method};
        std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) {
            return static_cast<char>(std::tolower(c));
        });
        json::value& path = paths[view(route.path)];
        if (!path.is_object()) path.emplace_object();
        path.as_object()[method] = describe(route);
    }

    json::object schemas = parse_own(schemas_text).as_object();
    schemas["Problem"] = problem_schema();
    const json::object document{
        {"openapi", "3.1.0"},
        {"info", {{"title", "Firstcome"}, {"version", view(service_version)}}},
        {"paths", std::move(paths)},
        {"components",
         {{"schemas", std::move(schemas)},
          {"parameters", parse_own(parameters_text)},
          {"responses",
           {{"Problem",
             {{"description", "What went wrong, and what to do next."},
              {"content", content_of(problem_content_type, "Problem")}}}}},
          {"securitySchemes",
           {{"adminToken", {{"type", "http"}, {"scheme", "bearer"}}},
            {"buyerToken", {{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}}}}}}},
    };
    return json::serialize(document);
}

}  // namespace firstcome::http
