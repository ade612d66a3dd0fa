// src/wiring/shown_ledger.hpp - figures as people see them: what waits among dead letters is not
// sold
#pragma once

#include "ports/order_ledger.hpp"

#include <algorithm>
#include <functional>
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
    using Compensating = std::function<domain::Units(const domain::ItemId&)>;

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
        if (figures) show(*figures);
        return figures;
    }

    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const override {
        auto all = inner_.all_stock();
        for (domain::StockFigures& figures : all) show(figures);
        return all;
    }

    [[nodiscard]] bool figures_are_current() const override { return inner_.figures_are_current(); }

private:
    void show(domain::StockFigures& figures) const {
        const domain::Units moved =
            std::clamp<domain::Units>(compensating_(figures.item), 0, figures.sold);
        figures.sold -= moved;
        figures.compensating += moved;
    }

    ports::OrderLedger& inner_;  // outlives
    Compensating compensating_;
};

}  // namespace firstcome::wiring
