// src/adapters/redis/limit_share.hpp - what clients used, told from node to node over one stream
#pragma once

#include "adapters/redis/connection.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "ports/limit_share.hpp"

#include <cstdint>
#include <string>

namespace firstcome::redis {

/// Every node adds what it saw to the stream `fc:{limits}:uses` and reads what the others added:
/// one round trip a call, whatever the number of clients. Redis adds nothing up and runs no script.
///
///   entry   n  8 bytes, the node
///           u  per client 8 bytes of hash, 4 of count, 1 of policy, little endian
///   kept    about 256 entries, one minute after the last
///
/// Source   ADR-0011; Redis "XADD", "XREAD"
class LimitShare final : public ports::LimitShare {
public:
    /// `clock` outlives this. On a Cluster the stream has a slot of its own.
    LimitShare(ConnectionOptions options, const base::Clock& clock, base::Entropy& entropy);

    [[nodiscard]] std::expected<std::vector<ports::LimitUse>, ports::LimitShareError> exchange(
        std::span<const ports::LimitUse> used
    ) override;

private:
    Connection connection_;
    std::string node_;     // so that we know our own entries again
    std::string read_to_;  // the last entry read; empty: none yet
};

}  // namespace firstcome::redis
