// src/adapters/webhook/message.hpp - an event as the JSON a receiver gets
#pragma once

#include "domain/event.hpp"

#include <optional>
#include <string>

namespace firstcome::webhook {

/// `{"type":...,"id":...,"timestamp":...,"data":{...}}`: of order.* the order, member for member as
/// `GET /api/v1/orders/{orderId}` shows it; of stock.* `itemId`, `remaining`, `total`. The same
/// bytes for the same event, however often it is sent.
///
/// Source   Standard Webhooks, "payload structure"; docs/api.md
[[nodiscard]] std::string message_body(const domain::Event& event);

/// The value of `traceparent`. Nothing: the event belongs to no trace.
///
/// Source   W3C Trace Context
[[nodiscard]] std::optional<std::string> traceparent(const domain::TraceContext& trace);

}  // namespace firstcome::webhook
