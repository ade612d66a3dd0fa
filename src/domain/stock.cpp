// src/domain/stock.cpp - the one spelling of stock operations and refusals
#include "domain/stock.hpp"

#include "base/assert.hpp"

namespace firstcome::domain {

unsigned LowStock::percent_for(const ItemId& item) const {
    if (percent_of.empty()) return percent;
    const auto own = percent_of.find(item.text());
    return own == percent_of.end() ? percent : own->second;
}

std::string_view name(StockOperation operation) {
    switch (operation) {
        case StockOperation::set: return "set";
        case StockOperation::add: return "add";
        case StockOperation::remove: return "remove";
    }
    FC_UNREACHABLE();
}

std::optional<StockOperation> stock_operation_from(std::string_view text) {
    for (const StockOperation operation :
         {StockOperation::set, StockOperation::add, StockOperation::remove}) {
        if (text == name(operation)) return operation;
    }
    return std::nullopt;
}

std::string_view name(StockRejection why) {
    switch (why) {
        case StockRejection::below_committed: return "below_committed";
        case StockRejection::item_not_found: return "item_not_found";
        case StockRejection::total_too_large: return "total_too_large";
        case StockRejection::window_invalid: return "window_invalid";
        case StockRejection::idempotency_key_reused: return "idempotency_key_reused";
    }
    FC_UNREACHABLE();
}

}  // namespace firstcome::domain
