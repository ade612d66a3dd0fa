// src/ports/order_ledger.hpp - the port that decides who gets a unit and makes it last
#pragma once

#include "domain/order.hpp"
#include "domain/stock.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace firstcome::ports {

/// A fault, never a business "no". Each enumerator is another next move.
enum class LedgerError : std::uint8_t {
    unavailable,      // nothing was written: the buyer waits and asks again
    storage_full,     // nothing was written, there is no room: the operator makes room, the buyer
                      // waits
    rebuilding,       // nothing was written: what decides has lost its memory and gets it back
    circuit_open,     // not even asked: what decides has failed too often lately
    backlog,          // nothing was written: too much decided waits to be stored
    deadline_passed,  // not even asked: the buyer had stopped waiting before its turn came
    outcome_unknown,  // may be written: ask again with the same key, never decide anew
};
/// All of them, in their order.
inline constexpr std::array ledger_errors{
    LedgerError::unavailable,
    LedgerError::storage_full,
    LedgerError::rebuilding,
    LedgerError::circuit_open,
    LedgerError::backlog,
    LedgerError::deadline_passed,
    LedgerError::outcome_unknown,
};
[[nodiscard]] std::string_view name(LedgerError error);

/// What an idempotent admin change answers: the figures as they were right after the first time.
struct StockChanged {
    domain::StockFigures figures;
    bool replayed = false;
};

using StockResult = std::variant<StockChanged, domain::StockRejected>;

enum class Release : std::uint8_t {
    released,          // the units are back, now
    already_released,  // they were given back before: nothing moved
    order_not_found,
};

/// One shard's line of buyers. Everything accepted by one call is durable together, before it
/// returns.
class OrderLedger {
public:
    OrderLedger() = default;
    OrderLedger(const OrderLedger&) = delete;
    OrderLedger& operator=(const OrderLedger&) = delete;
    virtual ~OrderLedger() = default;

    /// Decides each request in turn and makes what it accepted durable: all of the batch or none.
    ///
    /// Units    1..batch_size_max requests in order of arrival; outcomes[i] answers batch[i]
    /// Errors   as in LedgerError; on any of them no outcome of the batch may be told
    /// Thread   the shard's lane; blocks until the disk (or Redis) answers
    [[nodiscard]] virtual std::expected<void, LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) = 0;

    /// Sets, adds or removes stock, with an audit row; a change whose key was used before answers
    /// as it did then.
    ///
    /// Thread   the shard's lane
    [[nodiscard]] virtual std::expected<StockResult, LedgerError> change_stock(
        const domain::StockChange& change
    ) = 0;

    /// Gives the units of an accepted order back, once however often it is called; the order is
    /// `failed` from then on.
    ///
    /// Thread   the shard's lane
    [[nodiscard]] virtual std::expected<Release, LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) = 0;

    /// The item's figures as of the last durable batch. Nothing: never set.
    ///
    /// Thread   any; never waits for the disk
    [[nodiscard]] virtual std::optional<domain::StockFigures> stock(const domain::ItemId& item
    ) const = 0;

    /// All items' figures, sorted by item, each consistent in itself.
    ///
    /// Thread   any; never waits for the disk
    [[nodiscard]] virtual std::vector<domain::StockFigures> all_stock() const = 0;

    /// False: what decides has not been heard of lately, and the figures are the last known ones.
    ///
    /// Thread   any; never waits
    [[nodiscard]] virtual bool figures_are_current() const { return true; }
};

}  // namespace firstcome::ports
