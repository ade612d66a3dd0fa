// src/base/ip_network.hpp - internet addresses and the networks they lie in
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace firstcome::base {

/// 16 bytes, IPv4 as v4-mapped IPv6, so that both are one kind of thing.
using IpAddress = std::array<std::uint8_t, 16>;

[[nodiscard]] bool is_v4(const IpAddress& address);

/// `192.0.2.1`, `2001:db8::1`. Nothing: another text; a zone (`%eth0`) is one.
[[nodiscard]] std::optional<IpAddress> ip_address_from(std::string_view text);

/// All addresses that begin with the same bits. An IPv4 address lies in IPv4 networks only, also
/// not in `::/0`.
struct IpNetwork {
    IpAddress address{};
    unsigned bits = 128;  ///< 0 to 128; of an IPv4 network 96 to 128

    /// `10.0.0.0/8`, `2001:db8::/32`, or an address alone. Nothing: another text.
    [[nodiscard]] static std::optional<IpNetwork> from(std::string_view text);

    [[nodiscard]] bool contains(const IpAddress& other) const;
};

}  // namespace firstcome::base
