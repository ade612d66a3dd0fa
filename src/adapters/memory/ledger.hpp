// src/adapters/memory/ledger.hpp - the reference ledger and store: the rules and nothing else
#pragma once

#include "base/entropy.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "domain/shard.hpp"
#include "ports/order_ledger.hpp"
#include "ports/order_store.hpp"
#include "ports/stock_board.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <set>

namespace firstcome::memory {

/// Ledger and store in one, since what one accepts the other must find. Nothing survives it.
///
/// Errors   whatever `fail_next` was told; otherwise none
/// Thread   as the ports say
class Ledger final : public ports::OrderLedger, public ports::OrderStore {
public:
    struct Options {
        unsigned shard = 0;
        std::chrono::seconds key_ttl{86'400};
    };

    /// `clock`, `entropy`, `hash` outlive the ledger.
    Ledger(
        Options options,
        const base::Clock& clock,
        base::Entropy& entropy,
        const base::KeyedHash& hash
    );

    [[nodiscard]] std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override;
    [[nodiscard]] std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& change
    ) override;
    [[nodiscard]] std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override;
    [[nodiscard]] std::optional<domain::StockFigures> stock(const domain::ItemId& item
    ) const override;
    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const override;

    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    ) override;
    [[nodiscard]] std::expected<ports::OrderPage, ports::StoreError> list(
        const ports::OrderQuery& query
    ) override;

    /// The next write fails like this, as a disk would.
    void fail_next(ports::LedgerError error) { fail_next_ = error; }

private:
    struct ChangeRecord {
        domain::StockChange change;
        domain::StockFigures figures;
    };

    const base::Clock& clock_;     // outlives
    const base::KeyedHash& hash_;  // outlives
    domain::OrderIdMaker ids_;
    domain::Shard shard_;
    ports::StockBoard board_;
    mutable std::mutex mutex_;                       // over what readers see
    std::map<std::uint64_t, domain::Order> orders_;  // by the high half of the id
    std::map<domain::KeyHash, ChangeRecord> changes_;
    std::optional<ports::LedgerError> fail_next_;
};

}  // namespace firstcome::memory
