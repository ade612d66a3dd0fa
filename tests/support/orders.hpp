// tests/support/orders.hpp - short ways to say what a test orders
#pragma once

#include "base/hash.hpp"
#include "domain/order.hpp"
#include "domain/stock.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace firstcome::test {

inline domain::ItemId item(std::string_view text) {
    return domain::ItemId::from(text).value();
}

inline domain::UserId user(std::string_view text) {
    return domain::UserId::from(text).value();
}

struct Wish {
    std::string_view user = "ann";
    std::string_view item = "shoe";
    std::int32_t quantity = 1;
    std::optional<std::string_view> key = std::nullopt;
};

inline domain::OrderRequest request(const Wish& wish, const base::KeyedHash& hash) {
    domain::OrderRequest made;
    made.user = user(wish.user);
    made.item = item(wish.item);
    made.quantity = wish.quantity;
    if (wish.key) made.key = hash.hash128(wish.user, *wish.key);
    return made;
}

inline domain::StockChange stock_set(std::string_view what, domain::Units quantity) {
    domain::StockChange change;
    change.item = item(what);
    change.operation = domain::StockOperation::set;
    change.quantity = quantity;
    return change;
}

/// `accepted 3` with the sequence, `replayed 3`, or the rejection's name: what a row of a table
/// expects.
inline std::string spoken(const domain::Outcome& outcome) {
    if (const auto* yes = std::get_if<domain::Accepted>(&outcome)) {
        return (yes->replayed ? "replayed " : "accepted ") + std::to_string(yes->order.sequence);
    }
    return std::string(name(std::get<domain::Rejected>(outcome).why));
}

}  // namespace firstcome::test
