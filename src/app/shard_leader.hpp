// src/app/shard_leader.hpp - the loop of one shard on one node: lead, rebuild, relay, check
#pragma once

#include "app/drain_deadline.hpp"
#include "app/relay.hpp"
#include "base/doorbell.hpp"
#include "base/time.hpp"
#include "ports/system_of_record.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <thread>

namespace firstcome::app {

struct LeaderOptions {
    unsigned shard = 0;
    std::chrono::milliseconds ask_again{1000};       ///< without the lead, or after losing it
    std::chrono::milliseconds epoch_again{250};      ///< after the epoch could not be made good
    std::chrono::milliseconds conserve_every{1000};  ///< the conservation check
    /// The heartbeat: well below the server's idle_session_timeout, which ends a lead that stands
    /// still.
    std::chrono::milliseconds beat_every{1000};
};

/// What a leader does; all of it is called on its thread alone.
struct LeaderDuties {
    /// Takes the lead, or keeps it: ports::SystemOfRecord::lead.
    std::function<std::expected<bool, ports::RecordError>()> lead;
    /// Whether the shard's ledger is in its epoch; rebuilds it when not. Asked before each round,
    /// so it must cost little while all is well. False: not now.
    std::function<bool()> epoch_is_good;
    /// One round of the shard's relay: Relay::step.
    std::function<RelayStep()> relay;
    /// Relay::hurry of the same relay, and no rebuild goes on beyond the deadline either.
    std::function<void(base::MonotonicTime deadline)> hurry;
    /// Compares the ledger with the truth, and repairs.
    std::function<void()> conserve;
    /// Events that wait in the shard's outbox.
    std::function<std::uint64_t()> pending;
};

/// Asks for the shard's lead until it has it; then relays until it has lost it. Only scheduling:
/// what is done stands in the duties.
///
/// Source   ADR-0010
class ShardLeader {
public:
    ShardLeader(LeaderOptions options, LeaderDuties duties, const base::Clock& clock);
    ~ShardLeader();
    ShardLeader(const ShardLeader&) = delete;
    ShardLeader& operator=(const ShardLeader&) = delete;

    /// One round; says how long to rest before the next one.
    ///
    /// Thread   the leader's (`start`), or a test's
    std::chrono::milliseconds step();

    /// Starts the thread `fc-relay-<shard>`.
    void start();

    /// Goes on until the outbox is empty, another node has the lead or the deadline has passed;
    /// ends the thread, and says how many events are left (0 when they are another node's to
    /// relay).
    ///
    /// Thread   the one that called start
    std::uint64_t drain(base::MonotonicTime deadline);

    /// Thread   any
    [[nodiscard]] bool leading() const {
        return role_.load(std::memory_order_relaxed) == Role::leads;
    }

    /// Whether another node is known to have the lead. Neither this nor `leading`: nobody can say.
    ///
    /// Thread   any
    [[nodiscard]] bool following() const {
        return role_.load(std::memory_order_relaxed) == Role::follows;
    }

private:
    enum class Role : std::uint8_t {
        unknown,  // not asked yet, or the truth could not be asked, or the lead was lost
        leads,
        follows,  // another node has the lead
    };

    bool keep_lead(base::MonotonicTime now);
    std::chrono::milliseconds lose_lead(Role role);
    std::chrono::milliseconds rest_until_due(std::chrono::milliseconds at_most) const;
    void run();

    LeaderOptions options_;
    LeaderDuties duties_;
    const base::Clock& clock_;  // outlives
    std::atomic<Role> role_{Role::unknown};
    base::MonotonicTime ask_at_{};
    base::MonotonicTime beat_at_{};
    base::MonotonicTime conserve_at_{};
    bool empty_ = false;  // the outbox, at the last round
    base::Doorbell bell_;
    DrainDeadline drain_;
    std::thread thread_;
};

}  // namespace firstcome::app
