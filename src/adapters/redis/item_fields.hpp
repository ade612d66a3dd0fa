// src/adapters/redis/item_fields.hpp - an item as Redis has it, and as text for Redis
#pragma once

#include "adapters/redis/reply.hpp"
#include "domain/stock.hpp"
#include "ports/system_of_record.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::redis {

/// The fields of an item's hash, in the order every script answers them. Times are milliseconds; an
/// open end of the window and no limit are empty.
inline constexpr std::array<std::string_view, 9> item_fields{
    "initial", "restocked", "remaining", "sold", "orders", "opens", "closes", "limit", "movement"};

/// An item in the sale. Failed orders count as sold until their units are back.
struct LiveItem {
    domain::StockFigures figures;
    std::uint64_t movement = 0;  ///< the last stock change known here
};

/// True: Redis has no such item.
[[nodiscard]] bool is_unknown(const Reply& fields);

/// Nothing: damaged, or unknown.
[[nodiscard]] std::optional<LiveItem> read_item(
    const domain::ItemId& item, const Reply& fields, domain::WallTime as_of
);

/// A number that Lua gave as such, or Redis as text.
[[nodiscard]] std::optional<std::int64_t> number_in(const Reply& reply);

[[nodiscard]] std::string text_of(const std::optional<domain::WallTime>& time);
[[nodiscard]] std::string text_of(const std::optional<domain::Units>& limit);

}  // namespace firstcome::redis
