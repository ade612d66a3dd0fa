// tests/support/ledgers.hpp - a ledger a test can hold, make fail, and look into
#pragma once

#include "ports/order_ledger.hpp"

#include <semaphore>
#include <vector>

namespace firstcome::test {

/// Passes everything on to another ledger; every method may be overridden on its own.
class LedgerDecorator : public ports::OrderLedger {
public:
    explicit LedgerDecorator(ports::OrderLedger& inner) : inner_(&inner) {}

    /// From now on this one: the ledger was closed and opened again.
    void wrap(ports::OrderLedger& inner) { inner_ = &inner; }

    std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override {
        return inner_->place(batch, outcomes);
    }

    std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& change
    ) override {
        return inner_->change_stock(change);
    }

    std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override {
        return inner_->release(order, reason);
    }

    std::optional<domain::StockFigures> stock(const domain::ItemId& item) const override {
        return inner_->stock(item);
    }

    std::vector<domain::StockFigures> all_stock() const override { return inner_->all_stock(); }

protected:
    ports::OrderLedger* inner_;
};

/// Remembers the size of each batch.
class RecordingLedger final : public LedgerDecorator {
public:
    using LedgerDecorator::LedgerDecorator;

    std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override {
        batches.push_back(batch.size());
        return inner_->place(batch, outcomes);
    }

    std::vector<std::size_t> batches;  // read after the lane's end
};

/// Work for a lane that stays in it until it is let go: everything pushed meanwhile waits.
class Gate {
public:
    /// Runs on the lane.
    void hold() {
        reached_.release();
        open_.acquire();
    }

    void wait_until_held() { reached_.acquire(); }

    void open() { open_.release(); }

private:
    std::binary_semaphore reached_{0};
    std::binary_semaphore open_{0};
};

}  // namespace firstcome::test
