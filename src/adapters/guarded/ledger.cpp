// src/adapters/guarded/ledger.cpp - asks the breaker first, and tells it how it went
#include "adapters/guarded/ledger.hpp"

#include "base/assert.hpp"

#include <utility>

namespace firstcome::guarded {

using ports::LedgerError;

bool counts_as_failure(LedgerError error) {
    switch (error) {
        case LedgerError::unavailable:
        case LedgerError::outcome_unknown: return true;
        // The server answered, and quickly. A breaker that opened on these would go on refusing
        // for up to half a minute after room was made, the memory rebuilt, the backlog stored; and
        // buyers and operators would read "breaker open" in place of the reason.
        case LedgerError::storage_full:
        case LedgerError::rebuilding:
        case LedgerError::backlog:
        case LedgerError::deadline_passed:
        case LedgerError::circuit_open: return false;
    }
    FC_UNREACHABLE();
}

std::expected<void, LedgerError> Ledger::place(
    std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
) {
    auto permit = breaker_.try_acquire(clock_.monotonic());
    if (!permit) return std::unexpected(LedgerError::circuit_open);
    permit_.emplace(std::move(*permit));
    const auto placed = inner_.place(batch, outcomes);
    if (placed || !counts_as_failure(placed.error())) {
        decided();
    } else if (permit_) {
        permit_->fail(clock_.monotonic(), static_cast<std::uint32_t>(batch.size() + in_line_()));
    }
    permit_.reset();
    return placed;
}

void Ledger::decided() {
    if (permit_) permit_->succeed(clock_.monotonic());
    permit_.reset();
}

// The permits go back untold: how long it took may say more of a row's lock than of a server.
template <typename Change>
auto Ledger::unless_open(Change change) -> decltype(change()) {
    auto permit = breaker_.try_acquire(clock_.monotonic());
    if (!permit) return std::unexpected(LedgerError::circuit_open);
    auto behind = behind_ == nullptr ? std::nullopt : behind_->try_acquire(clock_.monotonic());
    if (behind_ != nullptr && !behind) return std::unexpected(LedgerError::circuit_open);
    auto done = change();
    permit->cancel(clock_.monotonic());
    if (behind) behind->cancel(clock_.monotonic());
    return done;
}

std::expected<ports::StockResult, LedgerError> Ledger::change_stock(
    const domain::StockChange& change
) {
    return unless_open([&] { return inner_.change_stock(change); });
}

std::expected<ports::Release, LedgerError> Ledger::release(
    domain::OrderId order, std::string_view reason
) {
    return unless_open([&] { return inner_.release(order, reason); });
}

std::optional<domain::StockFigures> Ledger::stock(const domain::ItemId& item) const {
    return inner_.stock(item);
}

std::vector<domain::StockFigures> Ledger::all_stock() const {
    return inner_.all_stock();
}

bool Ledger::figures_are_current() const {
    return inner_.figures_are_current();
}

}  // namespace firstcome::guarded
