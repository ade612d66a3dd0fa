// src/adapters/redis/rebuild.hpp - gives a shard's Redis the memory that the record says it had
#pragma once

#include "adapters/redis/shard_calls.hpp"
#include "adapters/redis/stored_order.hpp"
#include "base/note.hpp"
#include "base/time.hpp"
#include "ports/system_of_record.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

struct RebuildOptions {
    unsigned shard = 0;
    std::chrono::seconds key_ttl{86'400};
    /// A server that lost its tail gets the keys of orders younger than its last one, and older by
    /// this: how far two servers' clocks may be apart.
    std::chrono::seconds clocks_apart{60};
    std::size_t entries_a_look = 64;  ///< of the outbox at once
    std::size_t writes_a_call = 500;  ///< keys or users at once: bounds how long Redis is busy
    bool server_time = true;          ///< as in LedgerOptions
    std::chrono::milliseconds look_every{1000};  ///< whether the server kept its memory, by itself
    std::chrono::milliseconds beat_every{1000};  ///< a lead that is not asked for is lost in three
    std::chrono::milliseconds tell_every{1000};  ///< its progress
    NewestEpoch* newest = nullptr;               ///< as in Handshake::Options
};

/// What a rebuild came to.
struct Rebuilt {
    ports::Epoch epoch;
    std::size_t items = 0;
    std::uint64_t waiting = 0;  ///< orders in the outbox that are not stored yet
    std::uint64_t keys = 0;     ///< put back
    bool was_empty = false;     ///< Redis had lost everything
};

/// Only the leader rebuilds; one that lost the lead meanwhile can do no harm, since each of its
/// writes is refused once a newer rebuild has begun.
///
/// Memory   the shard's items, and of limited items their buyers; the rest goes in pieces
/// Errors   unavailable: try again; not_ours: another node is at it; corrupt: the operator looks.
///          The shard stays closed then.
/// Thread   the leader's
/// Source   ADR-0010
class Rebuild {
public:
    /// Stage (`outbox`, `items`, `keys`) and how many of it are done: when the first are, and then
    /// every `tell_every`. What it came to in the end stands in the log.
    using Progress = std::function<void(std::string_view stage, std::uint64_t done)>;

    Rebuild(
        const RebuildOptions& options,
        Connection& connection,         // outlives
        ports::SystemOfRecord& record,  // outlives
        const base::Clock& clock,       // outlives
        Progress progress = {}
    );

    /// Whether the shard is in its recorded epoch, and keys live as long as configured; rebuilds it
    /// when not. One command while all is well.
    [[nodiscard]] bool keep();

    [[nodiscard]] std::expected<Rebuilt, ports::RecordError> run();

    /// From the deadline on a rebuild is given up at its next step, and the shard stays closed.
    ///
    /// Thread   any
    void hurry(base::MonotonicTime deadline) { give_up_at_.store(deadline); }

    /// What keeps the shard closed until somebody mends it: what, where, what to do.
    ///
    /// Thread   any
    [[nodiscard]] std::optional<std::string> trouble() const { return trouble_.text(); }

private:
    template <typename T>
    using Result = std::expected<T, ports::RecordError>;

    /// What the outbox holds of one item, beyond what is stored.
    struct Waiting {
        domain::Units units = 0;
        domain::Sequence sequence = 0;  // highest of all, stored or not
        std::map<domain::UserId, domain::Units> users;
    };

    struct Key {
        domain::KeyHash hash;
        RememberedOrder remembered;
    };

    struct Begun {
        domain::WallTime now;
        domain::WallTime seen;  // when it last accepted
        Moment moment = 0;      // above all it ever gave out
        std::uint64_t placed = 0;
        bool empty = false;
        bool keys_kept = false;
    };

    [[nodiscard]] Result<void> keep_lead();
    [[nodiscard]] Result<ports::Epoch> next_epoch();
    [[nodiscard]] Result<Reply> step(std::string_view name, std::span<const std::string> rest);
    [[nodiscard]] Result<Begun> begin();
    [[nodiscard]] Result<void> count_outbox(const Begun& begun);
    [[nodiscard]] Result<void> count_entries(const Begun& begun, std::span<const Reply> entries);
    void count_entry(const OutboxEntry& entry, const std::set<domain::OrderId>& stored);
    [[nodiscard]] Result<void> write_items();
    [[nodiscard]] Result<void> write_item(const ports::RecordedItem& item);
    [[nodiscard]] Result<void> write_bought(
        const domain::ItemId& item, const std::map<domain::UserId, domain::Units>& bought
    );
    [[nodiscard]] Result<ports::SystemOfRecord::Bought> count_bought(
        std::span<const domain::ItemId> items
    );
    [[nodiscard]] Result<void> write_keys(const Begun& begun);
    [[nodiscard]] Result<void> write_keys(const Begun& begun, std::span<const Key> keys);
    [[nodiscard]] Result<void> open(const Begun& begun);
    [[nodiscard]] std::string lifetime() const;
    void tell(std::string_view stage, std::uint64_t done);

    RebuildOptions options_;
    Connection& connection_;         // outlives
    ports::SystemOfRecord& record_;  // outlives
    const base::Clock& clock_;       // outlives
    Progress progress_;
    ShardCalls calls_;
    base::MonotonicTime look_at_{};
    std::atomic<base::MonotonicTime> give_up_at_{base::MonotonicTime::max()};
    base::Note trouble_;

    // Of the rebuild at hand.
    Rebuilt done_;
    base::MonotonicTime beat_at_{};
    base::MonotonicTime tell_at_{};
    std::uint64_t generation_ = 0;
    std::map<domain::ItemId, Waiting> waiting_;
    Moment stored_until_ = 0;             // all of the outbox up to here is stored
    std::set<domain::OrderId> declared_;  // of level redis; their orders are not met yet
};

}  // namespace firstcome::redis
