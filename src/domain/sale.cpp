// src/domain/sale.cpp - one item's sale: window, per-user limit, stock, sequence
#include "domain/sale.hpp"

#include "base/assert.hpp"

namespace firstcome::domain {

Sale::Sale(const ItemId& item) {
    figures_.item = item;
}

std::variant<Grant, Rejected> Sale::decide(
    const OrderRequest& request, std::uint64_t user_hash, WallTime now
) const {
    FC_ASSERT(request.quantity > 0);
    const SaleWindow& window = figures_.window;
    if (window.opens_at && now < *window.opens_at) {
        return Rejected{.why = Rejection::sale_not_open, .at = *window.opens_at, .decided_at = now};
    }
    if (window.closes_at && now >= *window.closes_at) {
        return Rejected{.why = Rejection::sale_closed, .at = *window.closes_at, .decided_at = now};
    }
    if (figures_.per_user_limit) {
        const Units used = bought(user_hash);
        if (used + request.quantity > *figures_.per_user_limit) {
            return Rejected{
                .why = Rejection::user_limit_exceeded,
                .limit = *figures_.per_user_limit,
                .used = used};
        }
    }
    if (figures_.remaining == 0) return Rejected{.why = Rejection::sold_out};
    if (figures_.remaining < request.quantity) {
        return Rejected{.why = Rejection::insufficient_stock, .remaining = figures_.remaining};
    }
    return Grant{.sequence = figures_.orders + 1};
}

void Sale::apply(const OrderRequest& request, std::uint64_t user_hash, const Grant& grant) {
    FC_ASSERT(grant.sequence == figures_.orders + 1);
    FC_ASSERT(request.quantity <= figures_.remaining);
    figures_.orders = grant.sequence;
    figures_.remaining -= request.quantity;
    figures_.sold += request.quantity;
    move_bought(user_hash, request.quantity);
    check();
}

void Sale::revert(Units quantity, std::uint64_t user_hash, const Grant& grant) {
    FC_ASSERT(grant.sequence == figures_.orders);
    FC_ASSERT(quantity <= figures_.sold);
    --figures_.orders;
    figures_.remaining += quantity;
    figures_.sold -= quantity;
    move_bought(user_hash, -quantity);
    check();
}

bool Sale::replay(std::uint64_t user_hash, Units quantity, Sequence sequence) {
    if (sequence != figures_.orders + 1) return false;
    if (quantity < 0 || quantity > figures_.remaining) return false;
    figures_.orders = sequence;
    figures_.remaining -= quantity;
    figures_.sold += quantity;
    if (quantity > 0) move_bought(user_hash, quantity);
    check();
    return true;
}

void Sale::release(std::uint64_t user_hash, Units quantity) {
    FC_ASSERT(quantity > 0);
    FC_ASSERT(quantity <= figures_.sold);
    figures_.sold -= quantity;
    figures_.remaining += quantity;
    move_bought(user_hash, -quantity);
    check();
}

std::variant<StockFigures, StockRejected> Sale::changed(const StockChange& change, WallTime now)
    const {
    FC_ASSERT(change.quantity >= 0);
    FC_ASSERT(change.quantity <= stock_units_max);
    StockFigures after = figures_;
    switch (change.operation) {
        case StockOperation::set:
            after.initial = change.quantity;
            after.restocked = 0;
            break;
        case StockOperation::add: after.restocked += change.quantity; break;
        case StockOperation::remove: after.restocked -= change.quantity; break;
    }
    const Units committed = after.sold + after.compensating;
    if (after.total() < committed) {
        return StockRejected{
            .why = StockRejection::below_committed,
            .committed = committed,
            .total = figures_.total()};
    }
    if (after.total() > stock_units_max) {
        return StockRejected{.why = StockRejection::total_too_large, .total = figures_.total()};
    }
    after.remaining = after.total() - committed;
    if (change.opens_at) after.window.opens_at = *change.opens_at;
    if (change.closes_at) after.window.closes_at = *change.closes_at;
    const SaleWindow& window = after.window;
    if (window.opens_at && window.closes_at && *window.closes_at <= *window.opens_at) {
        return StockRejected{.why = StockRejection::window_invalid};
    }
    if (change.per_user_limit) after.per_user_limit = *change.per_user_limit;
    after.as_of = now;
    FC_ASSERT(after.drift() == 0);
    return after;
}

void Sale::adopt(const StockFigures& figures) {
    FC_ASSERT(figures.item == figures_.item);
    figures_ = figures;
    if (!figures_.per_user_limit) {
        counts_bought_ = false;
        bought_.clear();
    } else if (figures_.orders == 0) {
        counts_bought_ = true;
    }
    check();
}

bool Sale::needs_bought_counts() const {
    return figures_.per_user_limit.has_value() && !counts_bought_;
}

void Sale::start_counting_bought() {
    bought_.clear();
    counts_bought_ = true;
}

void Sale::count_bought(std::uint64_t user_hash, Units quantity) {
    FC_ASSERT(counts_bought_);
    move_bought(user_hash, quantity);
}

Units Sale::bought(std::uint64_t user_hash) const {
    const Units* units = bought_.find(user_hash);
    return units == nullptr ? 0 : *units;
}

void Sale::move_bought(std::uint64_t user_hash, Units by) {
    if (!counts_bought_) return;
    Units& units = bought_.find_or_add(user_hash);
    units += by;
    FC_ASSERT(units >= 0);
    FC_ASSERT(units <= stock_units_max);
    if (units == 0) bought_.erase(user_hash);
}

void Sale::check() const {
    FC_ASSERT(figures_.remaining >= 0);
    FC_ASSERT(figures_.drift() == 0);
}

}  // namespace firstcome::domain
