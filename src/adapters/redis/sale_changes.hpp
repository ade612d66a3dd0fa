// src/adapters/redis/sale_changes.hpp - what the record decided, carried into the sale
#pragma once

#include "adapters/redis/item_fields.hpp"
#include "adapters/redis/shard_calls.hpp"
#include "ports/order_ledger.hpp"
#include "ports/system_of_record.hpp"

#include <cstdint>
#include <expected>

namespace firstcome::redis {

/// The steps of stock.lua.
enum class StockStep : std::uint8_t { lower, put };

struct StockStepped {
    ports::Epoch epoch;  ///< of the sale that was changed
    Reply reply;         ///< of stock.lua
};

/// Repeating it, or doing it late, changes nothing. A limit that appears closes the shard, until
/// the leader has counted what users hold.
[[nodiscard]] ShardCalls::Result<StockStepped> eval_stock(
    ShardCalls& calls, StockStep step, const ports::RecordedItem& item
);
/// StockStep::put; the item as it is in the sale then.
[[nodiscard]] std::expected<LiveItem, ports::LedgerError> put_item(
    ShardCalls& calls, const ports::RecordedItem& item, domain::WallTime now
);

struct GivenBack {
    bool now = false;  ///< false: the units were given back before
    Reply fields;      ///< of the item
};

/// The units of an order that failed go back into the sale, and the record hears of it. May be
/// repeated after any error, by any node.
///
/// decided_in   the shard's life from before the record was asked whether they are back: a rebuild
///              since then has counted them as back, so in a later life nothing is given; and what
///              was given in this life and forgotten by a rebuild is not noted as back
[[nodiscard]] ShardCalls::Result<GivenBack> give_back(
    ShardCalls& calls,
    ports::SystemOfRecord& record,
    const domain::Order& failed,
    const Life& decided_in
);

/// What the record's fault means for a ledger.
[[nodiscard]] ports::LedgerError ledger_error(ports::RecordError error);

}  // namespace firstcome::redis
