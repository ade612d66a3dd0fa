// src/adapters/redis/handshake.hpp - is this server's memory the one that decides now?
#pragma once

#include "adapters/redis/connection.hpp"
#include "adapters/redis/shard_keys.hpp"
#include "base/time.hpp"
#include "ports/order_ledger.hpp"
#include "ports/system_of_record.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace firstcome::redis {

/// The newest epoch of a shard that any thread of this node has read in the record. A server that
/// was left behind does not know of it, and its connections may live on: so whoever reads of it
/// tells all who use the shard.
///
/// Thread   any
class NewestEpoch {
public:
    void heard(std::uint64_t number) {
        std::uint64_t known = number_.load(std::memory_order_relaxed);
        while (known < number && !number_.compare_exchange_weak(known, number)) {
        }
    }

    /// 0: none was read yet.
    [[nodiscard]] std::uint64_t number() const { return number_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> number_{0};
};

/// A connection whose server was found to be in the recorded epoch.
struct Life {
    ports::Epoch epoch;
    std::string number;            ///< the epoch's, as the scripts compare it
    std::uint64_t generation = 0;  ///< of the connection that was checked
};

/// Asked before every use; costs nothing until the connection is a new one or was doubted, or a
/// newer epoch was heard of.
///
/// Errors   unavailable: no server or no truth to compare with, or one that may throw orders away;
///          rebuilding: another life
/// Thread   the connection's
/// Source   ADR-0010
class Handshake {
public:
    struct Options {
        /// After a no, the truth is not asked again for so long: a closed shard gets many orders.
        std::chrono::milliseconds ask_again{100};
        NewestEpoch* newest = nullptr;  ///< outlives; null: nobody else reads the record
    };

    Handshake(
        Options options,
        const ShardKeys& keys,          // outlives
        Connection& connection,         // outlives
        ports::SystemOfRecord& record,  // outlives
        const base::Clock& clock        // outlives
    );

    [[nodiscard]] std::expected<Life, ports::LedgerError> greet();

    /// The server said that it is in another epoch.
    void doubt();

    /// Asks the server whether it is still in the life it was found in: it may have taken over a
    /// replica's memory meanwhile, and kept the connection. When not, the next use compares. One
    /// command; call it about once a second.
    void look_again();

private:
    [[nodiscard]] std::expected<Life, ports::LedgerError> compare();
    [[nodiscard]] bool is_superseded(const ports::Epoch& epoch) const;
    [[nodiscard]] bool is_fit(const Server& server);

    Options options_;
    const ShardKeys& keys_;                 // outlives
    Connection& connection_;                // outlives
    ports::SystemOfRecord& record_;         // outlives
    const base::Clock& clock_;              // outlives
    std::optional<ports::Epoch> recorded_;  // as last heard
    std::optional<Life> life_;
    ports::LedgerError refusal_ = ports::LedgerError::unavailable;
    base::MonotonicTime ask_at_{};
    std::string complaint_;  // the last one logged
};

}  // namespace firstcome::redis
