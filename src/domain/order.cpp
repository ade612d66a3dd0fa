// src/domain/order.cpp - the one spelling of every outcome
#include "domain/order.hpp"

#include "base/assert.hpp"

namespace firstcome::domain {

std::string_view name(Rejection why) {
    switch (why) {
        case Rejection::sold_out: return "sold_out";
        case Rejection::insufficient_stock: return "insufficient_stock";
        case Rejection::user_limit_exceeded: return "user_limit_exceeded";
        case Rejection::sale_not_open: return "sale_not_open";
        case Rejection::sale_closed: return "sale_closed";
        case Rejection::item_not_found: return "item_not_found";
        case Rejection::idempotency_key_reused: return "idempotency_key_reused";
        case Rejection::idempotency_in_progress: return "idempotency_in_progress";
    }
    FC_UNREACHABLE();
}

std::string_view name(OrderStatus status) {
    switch (status) {
        case OrderStatus::processing: return "processing";
        case OrderStatus::confirmed: return "confirmed";
        case OrderStatus::failed: return "failed";
    }
    FC_UNREACHABLE();
}

std::optional<OrderStatus> order_status_from(std::string_view text) {
    for (const OrderStatus status :
         {OrderStatus::processing, OrderStatus::confirmed, OrderStatus::failed}) {
        if (text == name(status)) return status;
    }
    return std::nullopt;
}

std::string_view name(Durability durability) {
    switch (durability) {
        case Durability::disk: return "disk";
        case Durability::redis: return "redis";
        case Durability::database: return "database";
    }
    FC_UNREACHABLE();
}

}  // namespace firstcome::domain
