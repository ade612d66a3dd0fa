// src/adapters/guarded/ledger.hpp - a circuit breaker around any ledger
#pragma once

#include "base/time.hpp"
#include "ports/order_ledger.hpp"
#include "resilience/circuit_breaker.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <utility>

namespace firstcome::guarded {

/// While the breaker is open every write answers circuit_open at once and nothing is decided; stock
/// is still shown, as last known.
///
/// Batches alone tell how the ledger is; one that failed slowly tells it for all who waited for it,
/// those in line behind it too, so that it need not fail once more for them. A stock change or a
/// release may wait for what stands behind it (PostgreSQL, a row's lock), so the breaker stops them
/// but does not learn from them.
/// The breaker of what stands behind, where there is one, stops them too: else orders would wait in
/// line behind a change that waits for a server known to be away.
///
/// Thread   as the ledger inside; the breakers may be shared
class Ledger final : public ports::OrderLedger {
public:
    /// About how many orders wait in line behind the batch at hand. Asked on the lane's thread.
    using InLine = std::function<std::size_t()>;

    /// All of them outlive this. `behind`: of what changes wait for; null: of nothing.
    Ledger(
        ports::OrderLedger& inner,
        resilience::CircuitBreaker& breaker,
        const base::Clock& clock,
        resilience::CircuitBreaker* behind = nullptr,
        InLine in_line = [] { return std::size_t{0}; }
    )
        : inner_(inner),
          breaker_(breaker),
          clock_(clock),
          behind_(behind),
          in_line_(std::move(in_line)) {}

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
    [[nodiscard]] bool figures_are_current() const override;

    /// The ledger inside has decided the batch at hand, and from now on waits for something else
    /// (PostgreSQL): what it took until now is what the breaker learns. Called inside `place`.
    void decided();

private:
    template <typename Change>
    auto unless_open(Change change) -> decltype(change());

    ports::OrderLedger& inner_;
    resilience::CircuitBreaker& breaker_;
    const base::Clock& clock_;
    resilience::CircuitBreaker* behind_;
    InLine in_line_;
    std::optional<resilience::CircuitBreaker::Permit> permit_;  // of the batch at hand
};

/// Whether the error tells that the ledger cannot be reached or does not answer in time. The others
/// are its answers: asking less would not make them go away, and would hide them.
[[nodiscard]] bool counts_as_failure(ports::LedgerError error);

}  // namespace firstcome::guarded
