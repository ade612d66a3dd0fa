// src/adapters/redis/shard_calls.hpp - scripts and commands to one shard, only in its recorded life
#pragma once

#include "adapters/redis/connection.hpp"
#include "adapters/redis/handshake.hpp"
#include "adapters/redis/scripts.hpp"
#include "adapters/redis/shard_keys.hpp"
#include "ports/order_ledger.hpp"

#include <chrono>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

struct CallFailure {
    ports::LedgerError error = ports::LedgerError::unavailable;
    std::string text{};  ///< what the script or the server said
};

/// Errors   as in LedgerError; after any but outcome_unknown nothing was written
/// Thread   the connection's
class ShardCalls {
public:
    template <typename T>
    using Result = std::expected<T, CallFailure>;
    using Arguments = std::vector<std::string>;

    ShardCalls(
        Handshake::Options options,
        unsigned shard,
        Connection& connection,         // outlives
        ports::SystemOfRecord& record,  // outlives
        const base::Clock& clock        // outlives
    );

    /// Evaluates a script with prefix and epoch before what `arguments` gives for the life at hand.
    /// When the server is in another epoch than thought, which may be the new one, asks once more.
    [[nodiscard]] Result<Reply> eval(
        const Script& script, const std::function<Arguments(const Life&)>& arguments
    );
    [[nodiscard]] Result<Reply> eval(const Script& script, const Arguments& arguments);

    /// A command that reads, or whose writing harms no other epoch.
    [[nodiscard]] Result<Reply> command(
        std::initializer_list<std::string_view> words, std::chrono::milliseconds timeout = {}
    );
    [[nodiscard]] Result<std::vector<Reply>> pipeline(
        std::span<const Words> commands, std::chrono::milliseconds timeout = {}
    );

    [[nodiscard]] std::expected<Life, ports::LedgerError> life() { return handshake_.greet(); }

    /// As Handshake::look_again.
    void look_again() { handshake_.look_again(); }

    /// The server is in another epoch than thought: the next use compares again.
    void doubt() { handshake_.doubt(); }

    [[nodiscard]] const ShardKeys& keys() const { return keys_; }

private:
    [[nodiscard]] CallFailure failure_of(const Failure& failure);

    ShardKeys keys_;
    Connection& connection_;  // outlives
    Handshake handshake_;
    std::string refusal_;  // the last one logged, until something works again
};

}  // namespace firstcome::redis
