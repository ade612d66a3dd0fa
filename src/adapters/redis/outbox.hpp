// src/adapters/redis/outbox.hpp - what was decided and is not stored yet: a shard's stream
#pragma once

#include "adapters/redis/shard_calls.hpp"
#include "adapters/redis/stored_order.hpp"
#include "adapters/redis/waiting_figures.hpp"
#include "base/note.hpp"
#include "base/time.hpp"
#include "ports/outbox.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::redis {

/// The leader's end of the stream, always read from its start. Entries are batches: `pull` gives
/// whole ones, and one leaves the stream when all of its events are acknowledged. What was declared
/// about orders goes to the record by itself, before the entry that says so leaves.
///
/// Errors   unavailable: also while the shard is rebuilt, and while the record cannot be told
/// Thread   as in ports::Outbox; the connection is its own, since `pull` waits on it; the record is
///          used by `pull` and `acknowledge`
class Outbox final : public ports::Outbox {
public:
    Outbox(
        unsigned shard,
        Connection& connection,         // outlives
        ports::SystemOfRecord& record,  // outlives
        const base::Clock& clock,       // outlives
        Handshake::Options handshake = {}
    );

    [[nodiscard]] std::expected<std::vector<domain::Event>, ports::OutboxError> pull(
        std::size_t max, std::chrono::milliseconds wait
    ) override;
    [[nodiscard]] std::expected<void, ports::OutboxError> acknowledge(
        std::span<const domain::Event> events
    ) override;

    [[nodiscard]] ports::OutboxDepth depth() const override {
        return waiting_.depth(clock_.wall());
    }

    /// An entry that cannot be read, behind which all others wait: where, and what to do. Nothing:
    /// none is known.
    ///
    /// Thread   any
    [[nodiscard]] std::optional<std::string> damage() const { return damage_.text(); }

    /// The epoch the last pull's events came from, for the sink to compare; nothing: none yet.
    ///
    /// Thread   the relay
    [[nodiscard]] const std::optional<ports::Epoch>& epoch() const { return epoch_; }

private:
    template <typename T>
    using Result = std::expected<T, ports::OutboxError>;

    struct Pulled {
        Moment moment = 0;
        std::size_t left = 0;  // events not acknowledged yet
        std::vector<domain::OrderId> declared;
    };

    struct Look {
        Reply streams;
        std::uint64_t placed = 0;  // orders, since Redis was empty
    };

    [[nodiscard]] Result<Look> read(std::size_t max, std::chrono::milliseconds wait);
    [[nodiscard]] Result<std::vector<domain::Event>> take(
        std::span<const Reply> entries, std::size_t max
    );
    void lower(std::span<domain::Event> events) const;
    [[nodiscard]] std::optional<Moment> count_off(
        std::size_t events, std::vector<domain::OrderId>& declared
    );
    std::unexpected<ports::OutboxError> damaged(const Reply& entry);

    ShardCalls calls_;
    ports::SystemOfRecord& record_;  // outlives
    const base::Clock& clock_;       // outlives
    std::optional<ports::Epoch> epoch_;
    std::deque<Pulled> pulled_;    // entries of the last pull, from the stream's start
    std::size_t entry_size_ = 16;  // events an entry had lately

    WaitingFigures waiting_;
    base::Note damage_;
};

/// Looks into a shard's outbox for those who read orders.
///
/// Errors   as in CommandError; not_sent: also when looking takes too long
/// Thread   one; the connection may serve other reads
class OutboxReader {
public:
    OutboxReader(
        unsigned shard,
        Connection& connection,   // outlives
        const base::Clock& clock  // outlives
    );

    /// The order, `processing`, as long as it is in the outbox: looked for around the time in its
    /// id, then everywhere, for two seconds at most. What is only here is of level `redis`,
    /// whatever it is to become.
    [[nodiscard]] Result<std::optional<domain::Order>> find(domain::OrderId id);

    /// The last entry there is; nothing: the outbox is empty.
    [[nodiscard]] Result<std::optional<Moment>> end();
    /// Orders that wait.
    [[nodiscard]] Result<std::uint64_t> pending();
    /// Whether all entries up to this one have left: they are stored.
    [[nodiscard]] Result<bool> has_passed(Moment end);

private:
    [[nodiscard]] Result<std::optional<domain::Order>> search(
        domain::OrderId id, Moment from, Moment to, base::MonotonicTime give_up
    );
    [[nodiscard]] Result<std::optional<Reply>> edge(std::string_view command);

    ShardKeys keys_;
    Connection& connection_;    // outlives
    const base::Clock& clock_;  // outlives
};

}  // namespace firstcome::redis
