// src/wiring/shard.hpp - all that one node has of one shard in distributed mode
#pragma once

#include "adapters/guarded/ledger.hpp"
#include "adapters/guarded/sink.hpp"
#include "adapters/postgres/dead_letters.hpp"
#include "adapters/postgres/order_sink.hpp"
#include "adapters/postgres/record.hpp"
#include "adapters/redis/connection.hpp"
#include "adapters/redis/conservation.hpp"
#include "adapters/redis/ledger.hpp"
#include "adapters/redis/outbox.hpp"
#include "adapters/redis/rebuild.hpp"
#include "adapters/tracing/sink.hpp"
#include "app/order_lane.hpp"
#include "app/relay.hpp"
#include "app/shard_leader.hpp"
#include "base/doorbell.hpp"
#include "base/entropy.hpp"
#include "base/note.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "domain/stock.hpp"
#include "ports/store_drift.hpp"
#include "resilience/circuit_breaker.hpp"
#include "wiring/bounded_ledger.hpp"

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::wiring {

/// What a shard is made of, from the configuration.
struct ShardOptions {
    unsigned shard = 0;
    redis::ConnectionOptions redis;
    postgres::ConnectionOptions postgres;
    redis::LedgerOptions ledger;
    std::chrono::seconds key_ttl{86'400};
    app::RelayOptions relay;
    bool events = false;
    domain::LowStock stock_low{};
    ports::SpanRecorder* spans = nullptr;  ///< outlives the shard; null: no spans are made
};

/// The breakers are shared by all shards.
struct ShardBreakers {
    resilience::CircuitBreaker& redis;
    resilience::CircuitBreaker& postgres;
};

/// The lane's half decides; the leader's half, on the thread `fc-relay-<shard>`, relays, rebuilds
/// and repairs while this node leads. Each half has connections of its own.
///
/// Thread   main, but for what is said at each method
class Shard {
public:
    /// `delivered` is told of orders that have just reached PostgreSQL. The others outlive this.
    Shard(
        ShardOptions options,
        ShardBreakers breakers,
        const base::Clock& clock,
        app::DeliveredObserver delivered
    );
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    /// Behind the breaker.
    [[nodiscard]] ports::OrderLedger& ledger() { return guarded_; }

    /// The connection of the lane's half, for the check at start.
    [[nodiscard]] redis::Connection& connection() { return lane_redis_; }

    void start(app::OrderLane& lane);

    /// The lane reads what other nodes sold; skipped while the breaker is open or it still does so.
    ///
    /// Thread   any
    void refresh();

    /// Whether figures of the shard's items were read: nothing is known of them before.
    ///
    /// Thread   any
    [[nodiscard]] bool refreshed() const { return refreshed_.load(); }

    /// Whether the last look at the items was told to wait until the shard is rebuilt.
    ///
    /// Thread   any
    [[nodiscard]] bool rebuilding() const { return rebuilding_.load(); }

    /// Returns the orders left in the outbox, when this node leads.
    [[nodiscard]] std::uint64_t drain(base::MonotonicTime deadline);

    [[nodiscard]] const app::Relay& relay() const { return relay_; }

    [[nodiscard]] bool leading() const { return leader_.leading(); }

    /// Whether another node is known to lead.
    ///
    /// Thread   any
    [[nodiscard]] bool following() const { return leader_.following(); }

    /// Where Redis and PostgreSQL differed at the last two looks; none while another node leads.
    ///
    /// Thread   any
    [[nodiscard]] std::vector<ports::StoreDrift> drifts() const;

    /// Orders that PostgreSQL does not have yet, whoever leads.
    ///
    /// Thread   any
    [[nodiscard]] ports::OutboxDepth waiting() const { return lane_ledger_.waiting(); }

    /// As in Backend: of what this node leads.
    ///
    /// Thread   any
    [[nodiscard]] std::vector<std::string> troubles() const;

private:
    [[nodiscard]] app::LeaderDuties duties();
    [[nodiscard]] std::expected<bool, ports::RecordError> lead();
    void look_for_newer_epoch();
    [[nodiscard]] std::optional<ports::Epoch> epoch_to_store_in();
    [[nodiscard]] std::uint64_t pending();
    void conserve();
    void note_compared(bool compared);

    redis::NewestEpoch newest_epoch_;
    ShardOptions options_;
    ShardBreakers breakers_;
    const base::Clock& clock_;  // outlives
    mutable std::mutex drifts_mutex_;
    std::vector<ports::StoreDrift> drifts_;
    base::Doorbell rests_;

    base::SystemEntropy lane_entropy_;
    base::SystemEntropy lane_record_entropy_;
    redis::Connection lane_redis_;
    postgres::Record lane_record_;
    redis::Ledger lane_ledger_;
    BoundedLedger bounded_;
    guarded::Ledger guarded_;
    app::OrderLane* lane_ = nullptr;
    std::atomic<bool> refreshing_{false};
    std::atomic<bool> refreshed_{false};
    std::atomic<bool> rebuilding_{false};

    base::SystemEntropy leader_entropy_;
    base::SystemEntropy leader_record_entropy_;
    base::SystemEntropy relay_entropy_;
    redis::Connection relay_redis_;
    redis::Connection leader_redis_;
    postgres::Record leader_record_;
    redis::Ledger leader_ledger_;
    redis::Outbox outbox_;
    redis::OutboxReader outbox_reader_;
    postgres::OrderSink sink_;
    tracing::Sink traced_sink_;
    guarded::Sink guarded_sink_;
    postgres::DeadLetters letters_;
    redis::Rebuild rebuild_;
    redis::Conservation conservation_;
    base::MonotonicTime beat_at_{};      // the leader's
    base::MonotonicTime compared_at_{};  // the leader's: or when it began to lead
    base::Note not_compared_;
    app::Relay relay_;
    app::ShardLeader leader_;
};

}  // namespace firstcome::wiring
