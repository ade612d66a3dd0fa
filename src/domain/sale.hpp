// src/domain/sale.hpp - one item's sale: window, per-user limit, stock, sequence
// stop 6 of 7 on the path of one order
#pragma once

#include "base/flat_table.hpp"
#include "domain/order.hpp"
#include "domain/stock.hpp"

#include <cstdint>
#include <optional>
#include <variant>

namespace firstcome::domain {

/// A yes: the place in line the order gets once it is applied.
struct Grant {
    Sequence sequence = 0;
};

/// The rules of one item. Deciding changes nothing; what was applied can be reverted, last first,
/// for as long as its batch is not durable.
///
/// Units    whole units; conservation holds after every call (asserted)
/// Thread   the shard's lane
class Sale {
public:
    explicit Sale(const ItemId& item);

    /// The first rule that speaks: window, then the user's limit, then stock.
    [[nodiscard]] std::variant<Grant, Rejected> decide(
        const OrderRequest& request, std::uint64_t user_hash, WallTime now
    ) const;

    /// Takes the units; `decide` has said yes to just this request.
    void apply(const OrderRequest& request, std::uint64_t user_hash, const Grant& grant);

    /// Undoes the last `apply`: its batch was not made durable.
    void revert(Units quantity, std::uint64_t user_hash, const Grant& grant);

    /// An order found in the store at start: takes its place in line and its units (0: released).
    /// False: the sequence has a gap or a double, or the stock does not cover it: damaged.
    [[nodiscard]] bool replay(std::uint64_t user_hash, Units quantity, Sequence sequence);

    /// Gives the units of one order back. The caller sees to it that each order is released once.
    void release(std::uint64_t user_hash, Units quantity);

    /// The figures after the change, without making it.
    [[nodiscard]] std::variant<StockFigures, StockRejected> changed(
        const StockChange& change, WallTime now
    ) const;

    /// Takes on figures that `changed` returned, or that the store kept.
    void adopt(const StockFigures& figures);

    [[nodiscard]] const StockFigures& figures() const { return figures_; }

    /// True: a limit is set, but what users already bought is not counted yet (see `count_bought`).
    [[nodiscard]] bool needs_bought_counts() const;

    /// Begins counting what each user holds; the caller then tells every live order once.
    void start_counting_bought();
    void count_bought(std::uint64_t user_hash, Units quantity);

    /// Units of live orders of the user; 0 when not counted.
    [[nodiscard]] Units bought(std::uint64_t user_hash) const;

private:
    void check() const;
    void move_bought(std::uint64_t user_hash, Units by);

    StockFigures figures_;
    bool counts_bought_ = false;
    base::FlatTable<Units> bought_;  // user hash -> units, only while a limit is set
};

}  // namespace firstcome::domain
