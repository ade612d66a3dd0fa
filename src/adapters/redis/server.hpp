// src/adapters/redis/server.hpp - what a Redis server says of itself
#pragma once

#include "adapters/redis/url.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::redis {

/// Asked once per connection.
struct Server {
    Address address{};
    std::string run_id{};  ///< another one: the server was started anew, or is another server
    std::string replication_id{};  ///< another one: it was another's replica in between, or had its
                                   ///< first replica, or none for an hour
    std::string version{};
    std::string role{};           ///< `master` or `slave`
    std::string master{};         ///< of a replica, `host:port`
    std::uint64_t maxmemory = 0;  ///< bytes; 0: without a limit
    std::string maxmemory_policy{};
    bool append_only = false;
    bool loading = false;  ///< still reading its data

    /// Of its memory, as far as it can tell: the same, and nothing that was written is lost. A
    /// master that took over a replica's memory and became master again has another one, though
    /// its process is the same.
    [[nodiscard]] std::string life() const { return run_id + "/" + replication_id; }

    [[nodiscard]] bool is_master() const { return role == "master"; }
};

/// Of what INFO answered; a line that is missing leaves its field empty.
///
/// Source   Redis "INFO"
[[nodiscard]] Server server_of(const Address& address, std::string_view info);

}  // namespace firstcome::redis
