// src/adapters/redis/handshake.hpp - is this server's memory the one that decides now?
#pragma once

#include "adapters/redis/connection.hpp"
#include "adapters/redis/shard_keys.hpp"
#include "base/time.hpp"
#include "ports/order_ledger.hpp"
#include "ports/system_of_record.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace firstcome::redis {

/// A connection whose server was found to be in the recorded epoch.
struct Life {
    ports::Epoch epoch;
    std::string number;            ///< the epoch's, as the scripts compare it
    std::uint64_t generation = 0;  ///< of the connection that was checked
};

/// Asked before every use; costs nothing until the connection is a new one or was doubted.
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
