// src/http/client_address.hpp - who a request is from, when proxies stand between
#pragma once

#include "base/ip_network.hpp"
#include "http/message.hpp"

#include <span>

namespace firstcome::http {

/// Hops that are looked at; what stands further left is nobody's business any more.
inline constexpr int forwarded_hops_max = 32;

/// The peer, unless it is a trusted proxy: then the rightmost address in X-Forwarded-For that is
/// not one. All fields of that name are read as one list, from right to left, since each proxy adds
/// at the right end and only what trusted ones added is true. Where the walk ends in something that
/// is no address, or in nothing, the last proxy reached stands for all behind it.
///
/// `Forwarded` (RFC 7239) is not read: a proxy that sets both could be made to disagree with
/// itself.
[[nodiscard]] PeerAddress client_address(
    const Request& request, std::span<const base::IpNetwork> trusted_proxies
);

}  // namespace firstcome::http
