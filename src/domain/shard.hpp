// src/domain/shard.hpp - the items and remembered keys one lane owns
#pragma once

#include "base/hash.hpp"
#include "base/time.hpp"
#include "domain/idempotency.hpp"
#include "domain/order.hpp"
#include "domain/sale.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

namespace firstcome::domain {

/// The key was accepted before, with this order; the store tells whether the payload is the same.
struct Remembered {
    std::uint64_t order_high = 0;
};

/// Accepted in memory; true for the outside only when its batch is durable.
struct Granted {
    Order order;
    std::uint64_t user_hash = 0;
};

using Decision = std::variant<Granted, Remembered, Rejected>;

/// Everything needed to say yes or no, without a disk. What was granted since the last `commit` is
/// provisional: the ledger makes it durable and commits, or reverts it as if it had never been
/// asked.
///
/// Thread   the shard's lane
class Shard {
public:
    /// `hash`, `ids` outlive the shard; `key_ttl` is the lifetime of a key from acceptance.
    Shard(std::chrono::seconds key_ttl, const base::KeyedHash& hash, OrderIdMaker& ids);

    /// Idempotency first, then the item's rules; a yes is applied at once.
    [[nodiscard]] Decision decide(
        const OrderRequest& request, WallTime now, base::MonotonicTime monotonic_now
    );

    /// What was granted stays.
    void commit();
    /// Undoes all that was granted since the last commit, last first.
    void revert();

    /// Sales with grants since the last commit.
    [[nodiscard]] std::vector<const Sale*> touched() const;

    /// The item's sale, or nullptr.
    [[nodiscard]] Sale* sale(const ItemId& item);
    [[nodiscard]] Sale& open_sale(const ItemId& item);

    /// For the start: a key that was accepted `age` ago.
    void remember(
        const KeyHash& key,
        std::uint64_t order_high,
        std::chrono::milliseconds age,
        base::MonotonicTime now
    );

    void prefetch(const KeyHash& key) const { keys_.prefetch(key); }

    [[nodiscard]] std::uint64_t hash_of(const UserId& user) const;

    [[nodiscard]] std::size_t remembered_keys() const { return keys_.size(); }

private:
    struct Provisional {
        Sale* sale;
        std::optional<KeyHash> key;
        Units quantity;
        std::uint64_t user_hash;
        Grant grant;
    };

    std::chrono::seconds key_ttl_;
    const base::KeyedHash& hash_;                              // outlives
    OrderIdMaker& ids_;                                        // outlives
    std::unordered_map<ItemId, std::unique_ptr<Sale>> sales_;  // none ever goes
    Sale* last_asked_ = nullptr;  // in a rush, mostly the one that is asked for next
    RememberedKeys keys_;
    std::vector<Provisional> provisional_;
};

}  // namespace firstcome::domain
