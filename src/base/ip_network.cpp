// src/base/ip_network.cpp - internet addresses and the networks they lie in
#include "base/ip_network.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>

namespace firstcome::base {

namespace {

constexpr IpAddress v4_mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};
constexpr std::size_t v4_at = 12;
constexpr unsigned v4_bits = 96;  // of the prefix all IPv4 addresses share

}  // namespace

bool is_v4(const IpAddress& address) {
    return std::equal(address.begin(), address.begin() + v4_at, v4_mapped.begin());
}

std::optional<IpAddress> ip_address_from(std::string_view text) {
    std::array<char, INET6_ADDRSTRLEN> copy{};  // inet_pton wants a terminated text
    if (text.empty() || text.size() >= copy.size() || text.contains('\0')) return std::nullopt;
    std::memcpy(copy.data(), text.data(), text.size());
    IpAddress address = v4_mapped;
    if (::inet_pton(AF_INET, copy.data(), address.data() + v4_at) == 1) return address;
    if (::inet_pton(AF_INET6, copy.data(), address.data()) == 1) return address;
    return std::nullopt;
}

std::optional<IpNetwork> IpNetwork::from(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = ip_address_from(text.substr(0, slash));
    if (!address) return std::nullopt;
    if (slash == std::string_view::npos) return IpNetwork{.address = *address};
    const std::string_view digits = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    const bool was_v4 = text.find(':') == std::string_view::npos;
    if (bits > (was_v4 ? 32U : 128U)) return std::nullopt;
    return IpNetwork{.address = *address, .bits = was_v4 ? bits + v4_bits : bits};
}

bool IpNetwork::contains(const IpAddress& other) const {
    if (bits < v4_bits && is_v4(other)) return false;
    const auto whole = static_cast<std::ptrdiff_t>(bits / 8);
    if (!std::equal(address.begin(), address.begin() + whole, other.begin())) return false;
    const unsigned rest = bits % 8;
    if (rest == 0) return true;
    const auto at = static_cast<std::size_t>(whole);
    return ((address[at] ^ other[at]) >> (8U - rest)) == 0;
}

}  // namespace firstcome::base
