// src/adapters/webhook/address.cpp - which addresses a webhook may reach, and what a URL must be
#include "adapters/webhook/address.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <string_view>

namespace firstcome::webhook {

namespace {

/// The first `bits` of an IPv4 address.
struct Range {
    std::uint32_t first;
    int bits;
};

constexpr std::uint32_t ip(unsigned a, unsigned b, unsigned c, unsigned d) {
    return (a << 24U) | (b << 16U) | (c << 8U) | d;
}

constexpr std::array not_public{
    Range{ip(0, 0, 0, 0), 8},        // this network
    Range{ip(10, 0, 0, 0), 8},       // private
    Range{ip(100, 64, 0, 0), 10},    // behind a carrier's NAT
    Range{ip(127, 0, 0, 0), 8},      // this machine
    Range{ip(169, 254, 0, 0), 16},   // link; clouds give out credentials there
    Range{ip(172, 16, 0, 0), 12},    // private
    Range{ip(192, 0, 0, 0), 24},     // protocol assignments
    Range{ip(192, 0, 2, 0), 24},     // documentation
    Range{ip(192, 88, 99, 0), 24},   // 6to4 relays, of old
    Range{ip(192, 168, 0, 0), 16},   // private
    Range{ip(198, 18, 0, 0), 15},    // benchmarks
    Range{ip(198, 51, 100, 0), 24},  // documentation
    Range{ip(203, 0, 113, 0), 24},   // documentation
    Range{ip(224, 0, 0, 0), 4},      // multicast
    Range{ip(240, 0, 0, 0), 4},      // reserved, broadcast
};

bool is_public(std::uint32_t address) {
    return std::ranges::none_of(not_public, [address](const Range& range) {
        return (address ^ range.first) >> (32 - range.bits) == 0;
    });
}

// Only 2000::/3 is given out to hosts; mapped IPv4, NAT64 (64:ff9b::), ULA, link-local and
// multicast all lie outside of it.
bool is_public(const in6_addr& address) {
    const auto word = [&address](int at) {
        return static_cast<unsigned>(address.s6_addr[2 * at] << 8U | address.s6_addr[2 * at + 1]);
    };
    if ((word(0) & 0xE000U) != 0x2000U) return false;
    if (word(0) == 0x2002U) return false;                        // 6to4
    if (word(0) == 0x2001U && word(1) < 0x0200U) return false;   // Teredo, ORCHID, ...
    if (word(0) == 0x2001U && word(1) == 0x0DB8U) return false;  // documentation
    return word(0) != 0x3FFFU || word(1) >= 0x1000U;             // documentation
}

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::optional<std::string> part_of(const Url& url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return std::nullopt;
    std::string copy = text;
    curl_free(text);
    return copy;
}

bool is_private_host(std::string_view host) {
    if (host == "localhost" || host.ends_with(".localhost")) return true;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    const std::string text{host};
    in_addr v4{};
    if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return !is_public(ntohl(v4.s_addr));
    in6_addr v6{};
    if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return !is_public(v6);
    return false;
}

}  // namespace

bool is_public(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof(v4));
        return is_public(ntohl(v4.sin_addr.s_addr));
    }
    if (address.sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof(v6));
        return is_public(v6.sin6_addr);
    }
    return false;
}

std::string text_of(const sockaddr& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof(v4));
        ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    } else if (address.sa_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof(v6));
        ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    }
    return text.data();
}

std::expected<void, std::string> check_url(const std::string& text, bool allow_private) {
    const Url url{curl_url(), &curl_url_cleanup};
    if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
        return std::unexpected("webhook.url is no URL such as https://shop.example/events");
    }
    const auto scheme = part_of(url, CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https") {
        return std::unexpected("webhook.url must begin with http:// or https://");
    }
    if (part_of(url, CURLUPART_USER) || part_of(url, CURLUPART_PASSWORD)) {
        return std::unexpected(
            "webhook.url has a user or password in it, which ends up in logs and proxies. Leave it"
            " out: each message is signed instead"
        );
    }
    const auto host = part_of(url, CURLUPART_HOST);
    if (!host || host->empty()) return std::unexpected("webhook.url names no host");
    if (!allow_private && is_private_host(*host)) {
        return std::unexpected(fmt::format(
            "webhook.url leads to {}, which is not on the public internet. If the receiver is"
            " really there, set webhook.allow_private = true",
            *host
        ));
    }
    return {};
}

Peer peer_of(const std::string& text) {
    const Url url{curl_url(), &curl_url_cleanup};
    if (url == nullptr || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
        return {};
    }
    Peer peer{.host = part_of(url, CURLUPART_HOST).value_or("")};
    const std::string port = part_of(url, CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or("");
    std::from_chars(port.data(), port.data() + port.size(), peer.port);
    return peer;
}

}  // namespace firstcome::webhook
