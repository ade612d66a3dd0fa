// src/adapters/sqlite/stock_watch.cpp - counts an item's units along the log of orders
#include "adapters/sqlite/stock_watch.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace firstcome::sqlite {

bool is_low(domain::Units remaining, domain::Units total, unsigned low_percent) {
    FC_ASSERT(total <= domain::stock_units_max);  // so that the products fit
    return remaining * 100 <= total * static_cast<domain::Units>(low_percent);
}

StockMark take(
    StockWatch& watch, domain::Units quantity, domain::Units total, unsigned low_percent
) {
    const domain::Units before = total - watch.taken;
    watch.taken += quantity;
    const domain::Units after = std::max(total - watch.taken, domain::Units{0});
    if (!is_low(before, total, low_percent)) watch.low = false;  // filled up since
    const bool became_low = !watch.low && is_low(after, total, low_percent);
    watch.low = watch.low || became_low;
    return {.remaining = after, .became_low = became_low, .sold_out = after == 0};
}

void StockTotals::change(
    const domain::ItemId& item, domain::Sequence after_orders, domain::Units total
) {
    changes_[item].push_back({.after_orders = after_orders, .total = total});
}

domain::Units StockTotals::at(const domain::ItemId& item, domain::Sequence sequence) const {
    const auto found = changes_.find(item);
    if (found == changes_.end()) return 0;
    const auto& changes = found->second;
    const auto later = std::ranges::partition_point(changes, [sequence](const Change& change) {
        return change.after_orders < sequence;
    });
    return later == changes.begin() ? 0 : std::prev(later)->total;
}

domain::Units StockTotals::now(const domain::ItemId& item) const {
    const auto found = changes_.find(item);
    return found == changes_.end() ? 0 : found->second.back().total;
}

}  // namespace firstcome::sqlite
