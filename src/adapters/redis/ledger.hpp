// src/adapters/redis/ledger.hpp - stop 7 of 7 with many nodes: decided in Redis, true in the record
#pragma once

#include "adapters/redis/item_fields.hpp"
#include "adapters/redis/shard_calls.hpp"
#include "adapters/redis/stored_order.hpp"
#include "adapters/redis/waiting_figures.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "domain/types.hpp"
#include "ports/order_ledger.hpp"
#include "ports/stock_board.hpp"
#include "ports/system_of_record.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace firstcome::redis {

struct LedgerOptions {
    unsigned shard = 0;
    domain::Durability level = domain::Durability::redis;  ///< redis or database
    /// Level database, and the relay takes longer than `commit_wait`: answer outcome_unknown, or
    /// declare the orders to be of level redis.
    enum class WhenSlow : std::uint8_t { wait, declare } when_slow = WhenSlow::wait;
    std::chrono::milliseconds commit_wait{2000};
    std::chrono::milliseconds commit_poll{2};  ///< between two looks whether it is relayed
    unsigned replicas_required = 0;            ///< that have a batch before it is answered
    std::chrono::milliseconds replica_wait{500};
    std::uint64_t outbox_entries_max = 1'000'000;
    bool server_time = true;  ///< false: the clock given, where a test moves time
    Handshake::Options handshake{};
    /// Called in `place` when Redis has decided and only the record is waited for: whoever times
    /// Redis stops here.
    std::function<void()> decided{};
};

/// One node's line to one shard. Any number of nodes may have one; Redis decides in one line.
///
/// Units    1..1,024 requests a batch
/// Errors   as in LedgerError
/// Thread   as in ports::OrderLedger; connection and record are used on the lane only
/// Source   ADR-0010
class Ledger final : public ports::OrderLedger {
public:
    /// Called while the relay is waited for; a test moves time or relays in it.
    using Rest = std::function<void(std::chrono::milliseconds)>;

    Ledger(
        const LedgerOptions& options,
        Connection& connection,         // outlives
        ports::SystemOfRecord& record,  // outlives
        const base::Clock& clock,       // outlives
        base::Entropy& entropy,         // outlives
        Rest rest
    );

    [[nodiscard]] std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override;
    [[nodiscard]] std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& change
    ) override;
    [[nodiscard]] std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override;

    [[nodiscard]] std::optional<domain::StockFigures> stock(const domain::ItemId& item
    ) const override {
        return board_.stock(item);
    }

    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const override {
        return board_.all_stock();
    }

    /// Whether the server was heard of within the last second.
    [[nodiscard]] bool figures_are_current() const override;

    /// Shows what other nodes sold and how much waits to be stored: reads all items of the shard.
    /// Call it a few times a second.
    ///
    /// Thread   the shard's lane
    [[nodiscard]] std::expected<void, ports::LedgerError> refresh();

    /// Orders that PostgreSQL does not have yet, whoever leads, as of the last refresh.
    ///
    /// Thread   any
    [[nodiscard]] ports::OutboxDepth waiting() const { return waiting_.depth(clock_.wall()); }

private:
    template <typename T>
    using Result = std::expected<T, ports::LedgerError>;

    /// A batch as it was asked, so that its answer can be read.
    struct Asked {
        std::span<const domain::OrderRequest> batch;
        std::vector<domain::OrderId> ids;
        std::vector<domain::ItemId> items;
        PackedOrders orders{};
    };

    /// An outcome that is not certain before the relay has passed a moment.
    struct Promise {
        std::size_t at = 0;  // in the batch
        Moment moment = 0;
    };

    struct Waited {
        bool relayed = false;  // false: so long was waited
        Moment declared = 0;   // nothing younger was declared to be of a lower level
    };

    [[nodiscard]] Asked pack(std::span<const domain::OrderRequest> batch);
    [[nodiscard]] ShardCalls::Arguments place_arguments(const Asked& asked, const Life& life) const;
    [[nodiscard]] Result<void> read_answer(
        const Asked& asked, const Reply& reply, std::span<domain::Outcome> outcomes
    );
    [[nodiscard]] Result<domain::Outcome> read_outcome(
        const Asked& asked, std::size_t at, const Reply& answer, domain::WallTime now
    );
    [[nodiscard]] Result<void> refresh_waiting();
    void heard();
    [[nodiscard]] bool publish(const Reply& figures, const Asked& asked, domain::WallTime now);

    [[nodiscard]] Result<void> wait_for_replicas();
    [[nodiscard]] Result<Waited> wait_until_relayed(Moment moment, const ports::Epoch& epoch);
    [[nodiscard]] Result<void> wait_for_outbox();
    [[nodiscard]] Result<void> keep_promises(
        const Asked& asked, std::span<domain::Outcome> outcomes
    );
    [[nodiscard]] Result<void> settle(
        const Asked& asked,
        std::span<const Promise> promises,
        std::span<domain::Outcome> outcomes,
        bool declare
    );

    [[nodiscard]] Result<std::optional<LiveItem>> read_live(const domain::ItemId& item);
    [[nodiscard]] ports::SystemOfRecord::Result<ports::SystemOfRecord::Lowered> lower(
        const ports::RecordedItem& wanted, Result<void>& fault
    );
    [[nodiscard]] Result<std::optional<ports::Failed>> fail(
        domain::OrderId order, std::string_view reason
    );

    LedgerOptions options_;
    const base::Clock& clock_;       // outlives
    ports::SystemOfRecord& record_;  // outlives
    Rest rest_;
    ShardCalls calls_;
    domain::OrderIdMaker ids_;
    ports::StockBoard board_;
    WaitingFigures waiting_;
    base::MonotonicTime look_at_{};
    std::atomic<std::int64_t> heard_ns_{0};  // monotonic: the server's last answer
    std::vector<Promise> promises_;          // of the batch at hand

    // The shard's clock as last heard, and when by ours; only good in that epoch.
    Moment moment_ = 0;
    ports::Epoch moment_epoch_{};
    base::MonotonicTime moment_heard_{};
};

}  // namespace firstcome::redis
