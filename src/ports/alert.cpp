// src/ports/alert.cpp - the alerts' names, and what each is about
#include "ports/alert.hpp"

#include "base/assert.hpp"

namespace firstcome::ports {

std::string_view name(AlertKind kind) {
    switch (kind) {
        case AlertKind::stock_low: return "StockLow";
        case AlertKind::stock_sold_out: return "StockSoldOut";
        case AlertKind::order_error_rate_high: return "OrderErrorRateHigh";
        case AlertKind::order_latency_high: return "OrderLatencyHigh";
        case AlertKind::dlq_growing: return "DlqGrowing";
        case AlertKind::dlq_stale: return "DlqStale";
        case AlertKind::outbox_stalled: return "OutboxStalled";
        case AlertKind::breaker_open: return "BreakerOpen";
        case AlertKind::invariant_violated: return "InvariantViolated";
    }
    FC_UNREACHABLE();
}

std::string_view severity(AlertKind kind) {
    switch (kind) {
        case AlertKind::stock_low:
        case AlertKind::stock_sold_out: return "info";
        case AlertKind::order_latency_high:
        case AlertKind::dlq_growing:
        case AlertKind::dlq_stale: return "warning";
        case AlertKind::order_error_rate_high:
        case AlertKind::outbox_stalled:
        case AlertKind::breaker_open:
        case AlertKind::invariant_violated: return "critical";
    }
    FC_UNREACHABLE();
}

std::string_view subject_label(AlertKind kind) {
    switch (kind) {
        case AlertKind::stock_low:
        case AlertKind::stock_sold_out: return "item";
        case AlertKind::breaker_open: return "name";
        case AlertKind::outbox_stalled: return "outbox";
        case AlertKind::order_error_rate_high:
        case AlertKind::order_latency_high:
        case AlertKind::dlq_growing:
        case AlertKind::dlq_stale:
        case AlertKind::invariant_violated: return {};
    }
    FC_UNREACHABLE();
}

bool is_of_node(AlertKind kind) {
    return kind == AlertKind::order_error_rate_high || kind == AlertKind::order_latency_high ||
           kind == AlertKind::breaker_open;
}

bool found_by_all(AlertKind kind) {
    switch (kind) {
        case AlertKind::stock_low:
        case AlertKind::stock_sold_out:
        case AlertKind::dlq_stale:
        case AlertKind::outbox_stalled: return true;
        case AlertKind::order_error_rate_high:
        case AlertKind::order_latency_high:
        case AlertKind::dlq_growing:
        case AlertKind::breaker_open:
        case AlertKind::invariant_violated: return false;
    }
    FC_UNREACHABLE();
}

}  // namespace firstcome::ports
