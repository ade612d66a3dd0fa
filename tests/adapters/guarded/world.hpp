// tests/adapters/guarded/world.hpp - a breaker on a clock that tests move, and what it guards
#pragma once

#include "adapters/memory/ledger.hpp"
#include "resilience/circuit_breaker.hpp"
#include "tests/support/ledgers.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>

namespace firstcome::test {

/// Takes its time, and answers what it was told to.
class TroubledLedger final : public LedgerDecorator {
public:
    TroubledLedger(ports::OrderLedger& inner, ManualClock& clock)
        : LedgerDecorator(inner), clock_(clock) {}

    std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override {
        if (const auto wrong = trouble()) return std::unexpected(*wrong);
        if (decided) decided();
        clock_.pass(waits_then);
        if (fails_then) return std::unexpected(*fails_then);
        return inner_->place(batch, outcomes);
    }

    std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& change
    ) override {
        if (const auto wrong = trouble()) return std::unexpected(*wrong);
        return inner_->change_stock(change);
    }

    std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override {
        if (const auto wrong = trouble()) return std::unexpected(*wrong);
        return inner_->release(order, reason);
    }

    int asked = 0;
    std::optional<ports::LedgerError> error;
    std::chrono::milliseconds takes{0};
    std::function<void()> decided;            ///< called when `takes` has passed
    std::chrono::milliseconds waits_then{0};  ///< for something else, before it answers
    std::optional<ports::LedgerError> fails_then;

private:
    std::optional<ports::LedgerError> trouble() {
        ++asked;
        clock_.pass(takes);
        return error;
    }

    ManualClock& clock_;
};

/// A store of somebody else, where one of one's own is asked for.
class BorrowedStore final : public ports::OrderStore {
public:
    explicit BorrowedStore(ports::OrderStore& lent) : lent_(lent) {}

    std::expected<std::optional<domain::Order>, ports::StoreError> find(domain::OrderId id
    ) override {
        return lent_.find(id);
    }

    std::expected<ports::OrderPage, ports::StoreError> list(const ports::OrderQuery& query
    ) override {
        return lent_.list(query);
    }

private:
    ports::OrderStore& lent_;
};

inline std::unique_ptr<base::Entropy> some_chance() {
    return std::make_unique<SeededEntropy>(7);
}

}  // namespace firstcome::test
