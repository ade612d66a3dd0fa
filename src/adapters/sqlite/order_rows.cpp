// src/adapters/sqlite/order_rows.cpp - an order as a row: how it is written, read back and checked
#include "adapters/sqlite/order_rows.hpp"

#include "base/assert.hpp"

#include <cstring>
#include <limits>

namespace firstcome::sqlite {

namespace {

// Checksums have 32 bits; no row with this one is whole.
constexpr std::int64_t impossible_checksum = -1;

// Over every column but itself: SQLite finds a broken page structure, this finds a flipped bit.
std::uint32_t checksum_of(const RowView& row, const base::KeyedHash& hash) {
    const std::array<std::uint64_t, 9> words{
        row.id.high,
        row.id.low,
        static_cast<std::uint64_t>(row.item_no),
        static_cast<std::uint64_t>(row.quantity),
        row.sequence,
        static_cast<std::uint64_t>(row.accepted_at.time_since_epoch().count()),
        row.previous,
        row.key ? row.key->high : 0,
        row.key ? row.key->low : 0,
    };
    std::array<char, sizeof(words)> bytes;
    std::memcpy(bytes.data(), words.data(), sizeof(words));
    const base::Hash128 full = hash.hash128(row.user, {bytes.data(), bytes.size()});
    return static_cast<std::uint32_t>(full.low);
}

}  // namespace

std::array<std::byte, 16> bytes_of(const domain::KeyHash& key) {
    std::array<std::byte, 16> bytes;
    std::memcpy(bytes.data(), &key.high, sizeof(key.high));
    std::memcpy(bytes.data() + sizeof(key.high), &key.low, sizeof(key.low));
    return bytes;
}

std::optional<domain::KeyHash> key_from(std::span<const std::byte> bytes) {
    domain::KeyHash key;
    if (bytes.size() != sizeof(key.high) + sizeof(key.low)) return std::nullopt;
    std::memcpy(&key.high, bytes.data(), sizeof(key.high));
    std::memcpy(&key.low, bytes.data() + sizeof(key.high), sizeof(key.low));
    return key;
}

void bind_row(
    Statement& insert,
    const OrderRow& row,
    const base::KeyedHash& hash,
    std::array<std::byte, 16>& key_bytes
) {
    FC_ASSERT(row.id.high <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
    FC_ASSERT(row.previous < row.id.high);
    insert.bind(0, static_cast<std::int64_t>(row.id.high));
    insert.bind(1, static_cast<std::int64_t>(row.id.low));
    insert.bind(2, row.user.text());
    insert.bind(3, row.item_no);
    insert.bind(4, std::int64_t{row.quantity});
    insert.bind(5, static_cast<std::int64_t>(row.sequence));
    insert.bind(6, std::int64_t{row.accepted_at.time_since_epoch().count()});
    insert.bind(7, static_cast<std::int64_t>(row.previous));
    if (row.key) {
        key_bytes = bytes_of(*row.key);
        insert.bind(8, std::span<const std::byte>(key_bytes));
    } else {
        insert.bind_null(8);
    }
    const RowView view{
        .id = row.id,
        .user = row.user.text(),
        .item_no = row.item_no,
        .quantity = row.quantity,
        .sequence = row.sequence,
        .accepted_at = row.accepted_at,
        .previous = row.previous,
        .key = row.key,
        .checksum = 0,
    };
    insert.bind(9, std::int64_t{checksum_of(view, hash)});
}

RowView view_row(const Statement& row) {
    RowView view{
        .id =
            {.high = static_cast<std::uint64_t>(row.integer(0)),
             .low = static_cast<std::uint64_t>(row.integer(1))},
        .user = row.text(2),
        .item_no = row.integer(3),
        .quantity = row.integer(4),
        .sequence = static_cast<domain::Sequence>(row.integer(5)),
        .accepted_at = domain::WallTime{std::chrono::milliseconds{row.integer(6)}},
        .previous = static_cast<std::uint64_t>(row.integer(7)),
        .key = std::nullopt,
        .checksum = row.integer(9),
    };
    if (!row.is_null(8)) {
        view.key = key_from(row.blob(8));
        if (!view.key) view.checksum = impossible_checksum;
    }
    return view;
}

bool is_whole(const RowView& row, const base::KeyedHash& hash) {
    if (row.user.empty() || row.user.size() > domain::UserId::size_max) return false;
    if (row.quantity != static_cast<std::int32_t>(row.quantity)) return false;
    return std::int64_t{checksum_of(row, hash)} == row.checksum;
}

std::optional<OrderRow> read_row(const Statement& row, const base::KeyedHash& hash) {
    const RowView view = view_row(row);
    if (!is_whole(view, hash)) return std::nullopt;
    const auto user = domain::UserId::from(view.user);
    if (!user) return std::nullopt;
    return OrderRow{
        .id = view.id,
        .user = *user,
        .item_no = view.item_no,
        .quantity = static_cast<std::int32_t>(view.quantity),
        .sequence = view.sequence,
        .accepted_at = view.accepted_at,
        .previous = view.previous,
        .key = view.key,
    };
}

}  // namespace firstcome::sqlite
