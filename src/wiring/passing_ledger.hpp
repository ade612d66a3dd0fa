// src/wiring/passing_ledger.hpp - a ledger that passes everything on
#pragma once

#include "ports/order_ledger.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace firstcome::wiring {

/// What a ledger around another one begins with: it overrides what it does otherwise.
///
/// Thread   as the ledger inside
class PassingLedger : public ports::OrderLedger {
public:
    explicit PassingLedger(ports::OrderLedger& inner) : inner_(inner) {}

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
        return inner_.stock(item);
    }

    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const override {
        return inner_.all_stock();
    }

    [[nodiscard]] bool figures_are_current() const override { return inner_.figures_are_current(); }

private:
    ports::OrderLedger& inner_;  // outlives
};

}  // namespace firstcome::wiring
