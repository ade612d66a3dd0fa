// src/adapters/sqlite/order_rows.hpp - an order as a row: how it is written, read back and checked
#pragma once

#include "adapters/sqlite/database.hpp"
#include "base/hash.hpp"
#include "domain/order.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace firstcome::sqlite {

/// A row of `orders`; the columns stand in schema.sql.
struct OrderRow {
    domain::OrderId id;
    domain::UserId user;
    std::int64_t item_no = 0;
    std::int32_t quantity = 0;
    domain::Sequence sequence = 0;
    domain::WallTime accepted_at;
    std::uint64_t previous = 0;
    std::optional<domain::KeyHash> key;
};

/// The same as it stands in the file, unchecked; `user` is good as long as what it was read from.
struct RowView {
    domain::OrderId id;
    std::string_view user;
    std::int64_t item_no = 0;
    std::int64_t quantity = 0;
    domain::Sequence sequence = 0;
    domain::WallTime accepted_at;
    std::uint64_t previous = 0;
    std::optional<domain::KeyHash> key;
    std::int64_t checksum = 0;
};

/// The columns in the order `view_row` and `read_row` expect, without a trailing comma.
inline constexpr std::string_view order_columns =
    "o.id, o.random, o.user, o.item, o.quantity, o.sequence, o.accepted_at, o.previous, o.key,"
    " o.checksum";

inline constexpr std::string_view insert_order =
    "INSERT INTO orders (id, random, user, item, quantity, sequence, accepted_at, previous, key,"
    " checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// The same with the trace, to be bound by hand at `trace_parameter`.
inline constexpr std::string_view insert_traced_order =
    "INSERT INTO orders (id, random, user, item, quantity, sequence, accepted_at, previous, key,"
    " checksum, trace) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr int trace_parameter = 10;

/// Binds all of the row; `key_bytes` must live until the statement is reset, as must the row.
void bind_row(
    Statement& insert,
    const OrderRow& row,
    const base::KeyedHash& hash,
    std::array<std::byte, 16>& key_bytes
);

[[nodiscard]] RowView view_row(const Statement& row);

/// Whether the row is one that we wrote, byte for byte.
[[nodiscard]] bool is_whole(const RowView& row, const base::KeyedHash& hash);

/// Nothing: the row's checksum or form is wrong, so the file is damaged.
[[nodiscard]] std::optional<OrderRow> read_row(const Statement& row, const base::KeyedHash& hash);

[[nodiscard]] std::array<std::byte, 16> bytes_of(const domain::KeyHash& key);
[[nodiscard]] std::optional<domain::KeyHash> key_from(std::span<const std::byte> bytes);

}  // namespace firstcome::sqlite
