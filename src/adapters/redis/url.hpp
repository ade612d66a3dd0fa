// src/adapters/redis/url.hpp - where Redis is, as one line of text
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

struct Address {
    std::string host;
    std::uint16_t port = 6379;

    [[nodiscard]] bool operator==(const Address&) const = default;
};

/// `host:port`, an IPv6 host in brackets.
[[nodiscard]] std::string text_of(const Address& address);

enum class Topology : std::uint8_t {
    single,    // the one address is the master
    sentinel,  // the addresses are Sentinels, which know where the master is
    cluster,   // the addresses are nodes of a Cluster, any of them
};

/// redis://user:password@host:port/db
/// redis+sentinel://user:password@host:port,host:port/master-name/db
/// redis+cluster://user:password@host:port,host:port
/// and the same with rediss for TLS. User and password are percent-decoded.
struct Url {
    Topology topology = Topology::single;
    bool tls = false;
    std::string user{};
    std::string password{};
    std::vector<Address> addresses{};  ///< at least one
    std::string master_name{};         ///< of a Sentinel
    int database = 0;
};

/// The error says what to write, and never holds the password.
[[nodiscard]] std::expected<Url, std::string> parse_url(std::string_view text);

/// For logs and errors: without user and password.
[[nodiscard]] std::string text_of(const Url& url);

}  // namespace firstcome::redis
