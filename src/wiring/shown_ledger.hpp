// src/wiring/shown_ledger.hpp - figures as people see them: what waits among dead letters is not
// sold
#pragma once

#include "ports/order_ledger.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::wiring {

/// Passes everything on; of the figures it shows, units of orders that are dead letters (reserved,
/// neither stored nor given back) are moved from sold to compensating. The sum stays.
///
/// Thread   as the ledger inside
class ShownLedger final : public ports::OrderLedger {
public:
    /// Units among dead letters, shared as they were read last; null: none are known.
    using UnitsByItem = std::shared_ptr<const std::map<domain::ItemId, domain::Units>>;
    using Compensating = std::function<UnitsByItem()>;

    ShownLedger(ports::OrderLedger& inner, Compensating compensating)
        : inner_(inner), compensating_(std::move(compensating)) {}

    [[nodiscard]] std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override {
        return inner_.place(batch, outcomes);
    }

    [[nodiscard]] std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& change
    ) override {
        return inner_.change_stock(change);
    }

    [[nodiscard]] std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override {
        return inner_.release(order, reason);
    }

    [[nodiscard]] std::optional<domain::StockFigures> stock(const domain::ItemId& item
    ) const override {
        auto figures = inner_.stock(item);
        if (figures) show(*figures, compensating_());
        return figures;
    }

    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const override {
        auto all = inner_.all_stock();
        const UnitsByItem units = compensating_();  // once: there may be many items
        for (domain::StockFigures& figures : all) show(figures, units);
        return all;
    }

    [[nodiscard]] bool figures_are_current() const override { return inner_.figures_are_current(); }

private:
    static void show(domain::StockFigures& figures, const UnitsByItem& units) {
        if (units == nullptr) return;
        const auto found = units->find(figures.item);
        if (found == units->end()) return;
        const domain::Units moved = std::clamp<domain::Units>(found->second, 0, figures.sold);
        figures.sold -= moved;
        figures.compensating += moved;
    }

    ports::OrderLedger& inner_;  // outlives
    Compensating compensating_;
};

}  // namespace firstcome::wiring
