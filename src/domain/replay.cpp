// src/domain/replay.cpp - what a remembered key answers, once its order is at hand
#include "domain/replay.hpp"

#include "base/assert.hpp"

namespace firstcome::domain {

Outcome replay(const OrderRequest& request, const Order& first) {
    FC_ASSERT(request.user == first.user);
    const bool item_differs = request.item != first.item;
    const bool quantity_differs = request.quantity != first.quantity;
    if (item_differs || quantity_differs) {
        return Rejected{
            .why = Rejection::idempotency_key_reused,
            .item_differs = item_differs,
            .quantity_differs = quantity_differs};
    }
    return Accepted{.order = first, .replayed = true};
}

bool same_payload(const StockChange& a, const StockChange& b) {
    return a.item == b.item && a.operation == b.operation && a.quantity == b.quantity &&
           a.opens_at == b.opens_at && a.closes_at == b.closes_at &&
           a.per_user_limit == b.per_user_limit;
}

}  // namespace firstcome::domain
