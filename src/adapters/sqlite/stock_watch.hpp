// src/adapters/sqlite/stock_watch.hpp - counts an item's units along the log of orders
#pragma once

#include "domain/types.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace firstcome::sqlite {

/// An item at one place in the log.
struct StockWatch {
    domain::Units taken = 0;  ///< units of live orders up to there
    bool low = false;         ///< said so, and not filled up since

    friend bool operator==(const StockWatch&, const StockWatch&) = default;
};

/// What an order did to its item.
struct StockMark {
    domain::Units remaining = 0;  ///< after the order; never below 0
    bool became_low = false;
    bool sold_out = false;
};

/// Moves the watch past an order. `total`: units there were in all at that moment; low is at or
/// under `low_percent` of them.
[[nodiscard]] StockMark take(
    StockWatch& watch, domain::Units quantity, domain::Units total, unsigned low_percent
);

[[nodiscard]] bool is_low(domain::Units remaining, domain::Units total, unsigned low_percent);

/// What each item had in all at each place in its line, from the audit of stock changes.
class StockTotals {
public:
    /// The item has `total` units from order `after_orders` + 1 on. Told in the order of changes.
    void change(const domain::ItemId& item, domain::Sequence after_orders, domain::Units total);

    /// When the item's order `sequence` was decided; 0: it had never been set.
    [[nodiscard]] domain::Units at(const domain::ItemId& item, domain::Sequence sequence) const;
    [[nodiscard]] domain::Units now(const domain::ItemId& item) const;

private:
    struct Change {
        domain::Sequence after_orders = 0;
        domain::Units total = 0;
    };

    std::unordered_map<domain::ItemId, std::vector<Change>> changes_;
};

}  // namespace firstcome::sqlite
