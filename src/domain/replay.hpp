// src/domain/replay.hpp - what a remembered key answers, once its order is at hand
#pragma once

#include "domain/order.hpp"
#include "domain/stock.hpp"

namespace firstcome::domain {

/// Same payload: the first answer again. Another payload: refused, and what differs is named.
[[nodiscard]] Outcome replay(const OrderRequest& request, const Order& first);

/// Whether two admin changes under one key ask for the same; who asks and why do not matter.
[[nodiscard]] bool same_payload(const StockChange& a, const StockChange& b);

}  // namespace firstcome::domain
