// src/adapters/webhook/address.hpp - which addresses a webhook may reach, and what a URL must be
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <sys/socket.h>

namespace firstcome::webhook {

/// False for whatever is not a host of the public internet: this machine, a private network, a
/// link, a multicast group, documentation, and every IPv6 form that carries an IPv4 address
/// within (mapped, NAT64, 6to4, Teredo), since that one would not be looked at.
///
/// Source   IANA special-purpose address registries for IPv4 and IPv6
[[nodiscard]] bool is_public(const sockaddr& address);

[[nodiscard]] std::string text_of(const sockaddr& address);

/// Whether events may be sent to this URL as far as can be told without asking anybody: http or
/// https, a host, no user or password in it, and no private address unless allowed. A name's
/// addresses are looked at when it is connected to.
///
/// Errors   a sentence for the operator that does not show the URL: its path may be a secret
[[nodiscard]] std::expected<void, std::string> check_url(
    const std::string& url, bool allow_private
);

/// Where a good URL leads to, without its path.
struct Peer {
    std::string host;
    std::int64_t port = 0;
};

[[nodiscard]] Peer peer_of(const std::string& url);

}  // namespace firstcome::webhook
