// src/adapters/postgres/order_rows.cpp - from a row to an order, trusting nothing
#include "adapters/postgres/order_rows.hpp"

namespace firstcome::postgres {

std::optional<domain::Durability> durability_from(std::string_view text) {
    using enum domain::Durability;
    for (const domain::Durability durability : {disk, redis, database}) {
        if (text == name(durability)) return durability;
    }
    return std::nullopt;
}

std::optional<domain::Order> order_of(const Rows& rows, std::size_t row, int first) {
    const auto user = domain::UserId::from(rows.text(row, first + 1));
    const auto item = domain::ItemId::from(rows.text(row, first + 2));
    const auto status = domain::order_status_from(rows.text(row, first + 6));
    const auto durability = durability_from(rows.text(row, first + 7));
    if (!user || !item || !status || !durability) return std::nullopt;
    return domain::Order{
        .id = rows.id(row, first),
        .user = *user,
        .item = *item,
        .quantity = static_cast<std::int32_t>(rows.integer(row, first + 3)),
        .sequence = static_cast<domain::Sequence>(rows.integer(row, first + 4)),
        .accepted_at = rows.time(row, first + 5),
        .status = *status,
        .durability = *durability};
}

}  // namespace firstcome::postgres
