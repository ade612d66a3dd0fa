// src/adapters/redis/shard_view.hpp - a shard as Redis has it at one moment, for the audit
#pragma once

#include "adapters/redis/item_fields.hpp"
#include "adapters/redis/shard_calls.hpp"
#include "adapters/redis/stored_order.hpp"
#include "domain/types.hpp"

#include <cstddef>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::redis {

/// An order of the outbox.
struct WaitingOrder {
    domain::Sequence sequence = 0;
    domain::Units units = 0;
};

struct ShardView {
    std::map<domain::ItemId, std::optional<LiveItem>> items;  ///< nothing: damaged
    /// Orders in the outbox up to the moment the items are of. Some may be stored by now; one that
    /// is missing is stored, since it left the outbox only then.
    std::map<domain::ItemId, std::vector<WaitingOrder>> waiting;
    std::vector<std::string> damaged;  ///< entries and items that cannot be read, a sentence each
};

/// Looks, and writes nothing; the items are of one moment, while orders go on being placed.
///
/// Errors   as in LedgerError: unavailable; rebuilding: this server is not in the recorded epoch
/// Memory   16 bytes an order that waits
/// Thread   the connection's
[[nodiscard]] std::expected<ShardView, ports::LedgerError> view_shard(
    ShardCalls& calls, domain::WallTime now
);

}  // namespace firstcome::redis
