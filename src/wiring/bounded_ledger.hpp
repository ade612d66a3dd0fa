// src/wiring/bounded_ledger.hpp - a ledger whose stock changes hold the lane for so long at most
#pragma once

#include "base/time.hpp"
#include "wiring/passing_ledger.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace firstcome::wiring {

/// Passes everything on. A stock change and a release make many calls of PostgreSQL, each of which
/// may be slow and in time; for as long as one lasts, all of them together must end by one moment.
///
/// Thread   as the ledger inside
class BoundedLedger final : public PassingLedger {
public:
    /// Told by when calls have to end from now on; nothing: by nothing but their own timeouts.
    using EndBy = std::function<void(std::optional<base::MonotonicTime>)>;

    BoundedLedger(
        ports::OrderLedger& inner,  // outlives
        std::chrono::milliseconds at_most,
        const base::Clock& clock,  // outlives
        EndBy end_by
    )
        : PassingLedger(inner), at_most_(at_most), clock_(clock), end_by_(std::move(end_by)) {}

    [[nodiscard]] std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& change
    ) override {
        end_by_(clock_.monotonic() + at_most_);
        auto changed = PassingLedger::change_stock(change);
        end_by_(std::nullopt);
        return changed;
    }

    [[nodiscard]] std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override {
        end_by_(clock_.monotonic() + at_most_);
        const auto released = PassingLedger::release(order, reason);
        end_by_(std::nullopt);
        return released;
    }

private:
    std::chrono::milliseconds at_most_;
    const base::Clock& clock_;  // outlives
    EndBy end_by_;
};

}  // namespace firstcome::wiring
