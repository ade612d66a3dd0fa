// src/adapters/redis/shard_keys.hpp - the names a shard's keys have in Redis
#pragma once

#include <string>
#include <string_view>

namespace firstcome::redis {

/// All of a shard's names share the hash tag `{s<shard>}`, so a Cluster keeps them on one server.
///
/// Source   ADR-0010
struct ShardKeys {
    explicit ShardKeys(unsigned shard_number)
        : shard(shard_number), prefix("fc:{s" + std::to_string(shard_number) + "}:") {}

    [[nodiscard]] std::string item(std::string_view id) const {
        return prefix + "item:" + std::string(id);
    }

    [[nodiscard]] std::string bought(std::string_view id) const {
        return prefix + "bought:" + std::string(id);
    }

    unsigned shard;
    std::string prefix;
    std::string epoch = prefix + "epoch";          ///< number of the life it is in; missing: closed
    std::string moment = prefix + "moment";        ///< the shard's clock, microseconds
    std::string placed = prefix + "placed";        ///< orders accepted since Redis was empty
    std::string seen = prefix + "seen";            ///< wall time of `moment`, milliseconds
    std::string ttl = prefix + "ttl";              ///< lifetime of keys, microseconds
    std::string waited = prefix + "waited";        ///< written before a WAIT, never read
    std::string outbox = prefix + "outbox";        ///< stream, see stored_order.hpp
    std::string relayed = prefix + "relayed";      ///< moment of the last entry that is stored
    std::string declared = prefix + "declared";    ///< moment of the youngest batch declared lower
    std::string items = prefix + "items";          ///< set of the shard's items
    std::string released = prefix + "released";    ///< orders given back in this epoch
    std::string rebuilder = prefix + "rebuilder";  ///< number of the epoch being made, or made last
};

}  // namespace firstcome::redis
