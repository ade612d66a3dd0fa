// src/adapters/redis/stored_order.hpp - an order as bytes: in a call, under its key, in the outbox
#pragma once

#include "adapters/redis/reply.hpp"
#include "adapters/redis/shard_keys.hpp"
#include "domain/event.hpp"
#include "domain/order.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

// Integers are little endian; texts have their length before them (u8).
//
// head     of an order: place of its item in a list (u16, from 1), size of its rest u16, key 16
//          (zeros: none), quantity u32, id 16: always 40 bytes
// rest     user, trace: u8 0 (none), 1 or 3 (sampled), and unless 0 trace id 16 and span 8
// tail     accepted at u64 (ms), moment u64, level u8: `r`, `d`, or `s` for a `d` put back under
//          its key by a rebuild
// batch    the accepted orders of one call: tail, orders u16, items u16, the orders' heads, the
//          items with the first order's sequence u64, from which the item's others count on (an
//          item that nothing was sold of: a name without length, and no sequence)
// entry    of the outbox: orders placed before it u64, batch, the orders' rests; or a batch without
//          orders, of level `r`, and then heads of orders before it, of which only the ids count:
//          they were declared to be of that level
// record   of one order: quantity, id, item, sequence u64, tail
//
// The stream has an entry in pieces, the values of its fields; its bytes are those one after the
// other. A key's field holds the moment of its batch (u64), which is the name of the field that
// holds the batch but for its heads, and behind `h` the name of theirs; or a record, put back by a
// rebuild.

/// Microseconds by the shard's own clock: names entries and ages keys, see place.lua.
using Moment = std::uint64_t;

/// Orders as place.lua takes them.
struct PackedOrders {
    std::string heads;
    std::string rests;
};

/// Adds one; `item_place` counts from 1.
void pack_order(
    PackedOrders& out,
    std::uint16_t item_place,
    const domain::OrderRequest& request,
    const domain::OrderId& id
);

/// 16 bytes, as a hash field and in a head.
[[nodiscard]] std::string bytes_of(const domain::KeyHash& key);
[[nodiscard]] std::string bytes_of(const domain::OrderId& id);

struct RememberedOrder {
    domain::Order order;  ///< as first answered
    Moment moment = 0;    ///< its key lives from here
    bool stored = false;  ///< it came back from the record: nothing about it is open
};

/// Of the user who asked with the key. Nothing: damaged.
[[nodiscard]] std::optional<RememberedOrder> read_record(
    std::string_view record, const domain::UserId& user
);
[[nodiscard]] std::string record_of(const RememberedOrder& remembered);

struct OutboxEntry {
    std::uint64_t placed_before = 0;
    domain::WallTime accepted_at;
    Moment moment = 0;
    std::vector<domain::Event> events;
    std::vector<domain::OrderId> declared;  ///< of level redis, whatever was asked; or none
};

/// Nothing: damaged.
[[nodiscard]] std::optional<OutboxEntry> read_entry(std::string_view bytes);

/// The moment in an entry's id, as XRANGE answers it.
[[nodiscard]] std::optional<Moment> moment_of(const Reply& entry);
/// The bytes of an entry, as XRANGE answers it; empty: damaged.
[[nodiscard]] std::string bytes_of_entry(const Reply& entry);

/// For the operator: an entry that XRANGE answered cannot be read, and what to do.
[[nodiscard]] std::string damage_text(const ShardKeys& keys, const Reply& entry);

/// The first 16 bytes of an entry: orders placed before it, and when it was placed.
struct EntryHead {
    std::uint64_t placed_before = 0;
    domain::WallTime accepted_at;
};

[[nodiscard]] std::optional<EntryHead> read_entry_head(std::string_view bytes);

}  // namespace firstcome::redis
