// src/adapters/redis/url.cpp - where Redis is, as one line of text
#include "adapters/redis/url.hpp"

#include <charconv>
#include <optional>
#include <utility>

namespace firstcome::redis {

namespace {

using Parsed = std::expected<void, std::string>;

struct Scheme {
    std::string_view name;
    Topology topology;
    bool tls;
    std::uint16_t port;  // where none is written
};

constexpr Scheme schemes[] = {
    {"redis", Topology::single, false, 6379},
    {"rediss", Topology::single, true, 6379},
    {"redis+sentinel", Topology::sentinel, false, 26379},
    {"rediss+sentinel", Topology::sentinel, true, 26379},
    {"redis+cluster", Topology::cluster, false, 6379},
    {"rediss+cluster", Topology::cluster, true, 6379},
};

// The address itself is never repeated in an error: a password may be in any part of it.
std::unexpected<std::string> wrong(std::string_view what, Topology topology) {
    std::string_view example = "redis://user:password@host:6379/0";
    if (topology == Topology::sentinel) {
        example = "redis+sentinel://:password@host1:26379,host2:26379/master-name/0";
    }
    if (topology == Topology::cluster) example = "redis+cluster://:password@host1:6379,host2:6379";
    return std::unexpected(std::string(what) + "; write it as " + std::string(example));
}

template <typename Number>
std::optional<Number> number_of(std::string_view digits) {
    Number number{};
    const char* end = digits.data() + digits.size();
    const auto [stop, failed] = std::from_chars(digits.data(), end, number);
    if (digits.empty() || stop != end || failed != std::errc{}) return std::nullopt;
    return number;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            decoded += text[at];
            continue;
        }
        unsigned int byte = 0;
        const std::string_view digits = text.substr(at + 1, 2);
        const char* end = digits.data() + digits.size();
        const auto [stop, failed] = std::from_chars(digits.data(), end, byte, 16);
        if (digits.size() != 2 || stop != end || failed != std::errc{}) return std::nullopt;
        decoded += static_cast<char>(byte);
        at += 2;
    }
    return decoded;
}

Parsed take_credentials(std::string_view text, Url& url) {
    const std::size_t colon = text.find(':');
    auto user = percent_decoded(text.substr(0, colon));
    auto password = std::optional<std::string>{""};
    if (colon != std::string_view::npos) password = percent_decoded(text.substr(colon + 1));
    if (!user || !password) {
        return wrong("a % in user or password is written %25, as in %40 for @", url.topology);
    }
    url.user = *std::move(user);
    url.password = *std::move(password);
    return {};
}

Parsed take_address(std::string_view text, std::uint16_t default_port, Url& url) {
    const bool bracketed = text.starts_with('[');
    const std::size_t host_end = bracketed ? text.find(']') : text.rfind(':');
    if (bracketed && host_end == std::string_view::npos) {
        return wrong("an IPv6 address stands in brackets, as [::1]:6379", url.topology);
    }
    const std::string_view host =
        bracketed ? text.substr(1, host_end - 1) : text.substr(0, host_end);
    std::string_view rest = host_end == std::string_view::npos ? "" : text.substr(host_end);
    if (bracketed) rest.remove_prefix(1);
    if (!bracketed && host.contains(':')) {
        return wrong("an IPv6 address stands in brackets, as [::1]:6379", url.topology);
    }
    if (host.empty()) return wrong("a host is missing", url.topology);
    const auto port =
        rest.empty() ? std::optional{default_port} : number_of<std::uint16_t>(rest.substr(1));
    if (!port || *port == 0 || (!rest.empty() && rest.front() != ':')) {
        return wrong("a port is a number from 1 to 65535", url.topology);
    }
    url.addresses.push_back({.host = std::string(host), .port = *port});
    return {};
}

Parsed take_addresses(std::string_view text, std::uint16_t default_port, Url& url) {
    while (true) {
        const std::size_t comma = text.find(',');
        if (Parsed one = take_address(text.substr(0, comma), default_port, url); !one) return one;
        if (comma == std::string_view::npos) break;
        text.remove_prefix(comma + 1);
    }
    if (url.topology == Topology::single && url.addresses.size() > 1) {
        return std::unexpected(
            "redis:// takes one host; write redis+sentinel:// or redis+cluster:// for several"
        );
    }
    return {};
}

Parsed take_path(std::string_view path, Url& url) {
    if (url.topology == Topology::sentinel) {
        const std::size_t slash = path.find('/');
        url.master_name = path.substr(0, slash);
        path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
        if (url.master_name.empty()) {
            return wrong("the master's name at the Sentinels is missing", url.topology);
        }
    }
    if (path.empty()) return {};
    const auto database = number_of<int>(path);
    if (!database || *database < 0) {
        return wrong("the database is a number, usually 0", url.topology);
    }
    if (url.topology == Topology::cluster && *database != 0) {
        return wrong("a Cluster has no databases", url.topology);
    }
    url.database = *database;
    return {};
}

const Scheme* find_scheme(std::string_view name) {
    for (const Scheme& each : schemes) {
        if (each.name == name) return &each;
    }
    return nullptr;
}

}  // namespace

std::string text_of(const Address& address) {
    const bool bracketed = address.host.contains(':');
    return (bracketed ? "[" + address.host + "]" : address.host) + ":" +
           std::to_string(address.port);
}

std::expected<Url, std::string> parse_url(std::string_view text) {
    const std::size_t scheme_end = text.find("://");
    const Scheme* scheme = find_scheme(text.substr(0, scheme_end));
    if (scheme == nullptr || scheme_end == std::string_view::npos) {
        return wrong("a Redis address starts with redis:// or rediss://", Topology::single);
    }
    Url url{.topology = scheme->topology, .tls = scheme->tls};
    if (text.find_first_of("?#") != std::string_view::npos) {
        return wrong(
            "? and # have no meaning here, and in a password are %3F and %23", url.topology
        );
    }
    std::string_view rest = text.substr(scheme_end + 3);
    const std::size_t slash = rest.find('/');
    const std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    rest = rest.substr(0, slash);
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
        if (Parsed taken = take_credentials(rest.substr(0, at), url); !taken) {
            return std::unexpected(taken.error());
        }
        rest.remove_prefix(at + 1);
    }
    if (Parsed taken = take_addresses(rest, scheme->port, url); !taken) {
        return std::unexpected(taken.error());
    }
    if (Parsed taken = take_path(path, url); !taken) return std::unexpected(taken.error());
    return url;
}

std::string text_of(const Url& url) {
    std::string text;
    for (const Scheme& each : schemes) {
        if (each.topology == url.topology && each.tls == url.tls) text = each.name;
    }
    text += "://";
    for (const Address& each : url.addresses) {
        if (!text.ends_with('/')) text += ',';
        text += text_of(each);
    }
    if (!url.master_name.empty()) text += "/" + url.master_name;
    if (url.topology != Topology::cluster) text += "/" + std::to_string(url.database);
    return text;
}

}  // namespace firstcome::redis
