// src/wiring/shown_ledger.hpp - figures as people see them: what waits among dead letters is not
// sold
#pragma once

#include "wiring/passing_ledger.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::wiring {

/// Passes everything on; of the figures it shows, units of orders that are dead letters (reserved,
/// neither stored nor given back) are moved from sold to compensating. The sum stays.
///
/// Thread   as the ledger inside
class ShownLedger final : public PassingLedger {
public:
    /// Units among dead letters, shared as they were read last; null: none are known.
    using UnitsByItem = std::shared_ptr<const std::map<domain::ItemId, domain::Units>>;
    using Compensating = std::function<UnitsByItem()>;

    ShownLedger(ports::OrderLedger& inner, Compensating compensating)
        : PassingLedger(inner), compensating_(std::move(compensating)) {}

    [[nodiscard]] std::optional<domain::StockFigures> stock(const domain::ItemId& item
    ) const override {
        auto figures = PassingLedger::stock(item);
        if (figures) show(*figures, compensating_());
        return figures;
    }

    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const override {
        auto all = PassingLedger::all_stock();
        const UnitsByItem units = compensating_();  // once: there may be many items
        for (domain::StockFigures& figures : all) show(figures, units);
        return all;
    }

private:
    static void show(domain::StockFigures& figures, const UnitsByItem& units) {
        if (units == nullptr) return;
        const auto found = units->find(figures.item);
        if (found == units->end()) return;
        const domain::Units moved = std::clamp<domain::Units>(found->second, 0, figures.sold);
        figures.sold -= moved;
        figures.compensating += moved;
    }

    Compensating compensating_;
};

}  // namespace firstcome::wiring
