// src/adapters/redis/directory.hpp - finds the master that serves a shard, in each topology
#pragma once

#include "adapters/redis/deadline.hpp"
#include "adapters/redis/failure.hpp"
#include "adapters/redis/link.hpp"
#include "adapters/redis/tls.hpp"
#include "adapters/redis/url.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

struct ConnectionOptions;

/// Thread   the connection's
class Directory {
public:
    explicit Directory(const ConnectionOptions& options);  // outlives

    /// A link to the master as it is now. Each address is tried once and gets its share of the
    /// time, so that one that hangs does not use up that of the others.
    ///
    /// Errors   as Link::open
    [[nodiscard]] Result<std::unique_ptr<Link>> open_master(const Deadline& deadline);
    /// A link to a server that another one named, whatever its role.
    [[nodiscard]] Result<std::unique_ptr<Link>> open_at(
        const Address& address, const Deadline& deadline
    );

    /// A server said that the shard is there (MOVED): the next `open_master` goes there first.
    void moved_to(const Address& address) { moved_to_ = address; }

private:
    Result<std::unique_ptr<Link>> open_verified(const Address& address, const Deadline& deadline);
    Result<std::unique_ptr<Link>> by_sentinel(const Address& sentinel, const Deadline& deadline);
    Result<std::unique_ptr<Link>> by_node(const Address& node, const Deadline& deadline);
    Result<const TlsContext*> tls();

    const ConnectionOptions& options_;
    std::uint16_t slot_;
    std::optional<TlsContext> tls_;
    std::vector<Address> addresses_;  // in the order to try them: the last that helped comes first
    std::optional<Address> moved_to_;
};

/// `host:port` as a server writes it; an empty host is the host that said so. Nothing: no address.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text, const Address& from);

}  // namespace firstcome::redis
