// src/adapters/redis/directory.cpp - finds the master that serves a shard, in each topology
#include "adapters/redis/directory.hpp"

#include "adapters/redis/connection.hpp"
#include "base/assert.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

namespace firstcome::redis {

namespace {

using List = std::initializer_list<std::string_view>;
using Opened = Result<std::unique_ptr<Link>>;

std::unexpected<Failure> failed(CommandError error, std::string text) {
    return std::unexpected(Failure{.error = error, .text = std::move(text)});
}

Result<Reply> ask(Link& link, List words, const Deadline& deadline) {
    Requests requests;
    requests.command(words);
    auto replies = link.exchange(requests, deadline);
    if (!replies) return failed(CommandError::not_sent, replies.error().text);
    Reply& reply = replies->front();
    if (reply.is(Reply::Kind::error)) return failed(error_of(reply.text), reply.text);
    return std::move(reply);
}

/// Source   Redis "CLUSTER SLOTS": [first, last, [host, port, id, ...] of the master, ...]
std::optional<Address> owner_of(
    std::uint16_t slot, const Reply& slots, const Address& answered_by
) {
    for (const Reply& range : slots.items) {
        if (range.items.size() < 3 || range.items[2].items.size() < 2) continue;
        if (slot < range.items[0].integer || slot > range.items[1].integer) continue;
        const Reply& host = range.items[2].items[0];
        const std::int64_t port = range.items[2].items[1].integer;
        if (port < 1 || port > 65535) continue;
        const bool same_host = host.text.empty() || host.text == "?";
        return Address{
            .host = same_host ? answered_by.host : host.text,
            .port = static_cast<std::uint16_t>(port)};
    }
    return std::nullopt;
}

std::uint16_t crc16(std::string_view text) {
    unsigned int crc = 0;
    for (const char each : text) {
        crc ^= static_cast<unsigned int>(static_cast<unsigned char>(each)) << 8U;
        for (int bit = 0; bit < 8; ++bit) {
            crc = ((crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U) & 0xFFFFU;
        }
    }
    return static_cast<std::uint16_t>(crc);
}

}  // namespace

std::uint16_t slot_of(std::string_view key) {
    const std::size_t open = key.find('{');
    if (open != std::string_view::npos) {
        const std::size_t close = key.find('}', open + 1);
        if (close != std::string_view::npos && close > open + 1) {
            key = key.substr(open + 1, close - open - 1);
        }
    }
    return crc16(key) % 16384;
}

std::optional<Address> parse_address(std::string_view text, const Address& from) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    Address address{.host = std::string(text.substr(0, colon)), .port = 0};
    if (address.host.empty() || address.host == "?") address.host = from.host;
    const std::string_view digits = text.substr(colon + 1);
    const char* end = digits.data() + digits.size();
    const auto [stop, wrong] = std::from_chars(digits.data(), end, address.port);
    if (stop != end || wrong != std::errc{} || address.port == 0) return std::nullopt;
    return address;
}

Directory::Directory(const ConnectionOptions& options)
    : options_(options), slot_(slot_of(options.shard_key)), addresses_(options.url.addresses) {
    FC_ASSERT(!addresses_.empty());
}

Result<const TlsContext*> Directory::tls() {
    if (!options_.url.tls) return nullptr;
    if (!tls_) {
        auto read = TlsContext::read(options_.tls);
        if (!read) return failed(CommandError::refused, read.error());
        tls_ = *std::move(read);
    }
    return &*tls_;
}

Opened Directory::open_at(const Address& address, const Deadline& deadline) {
    const auto with = tls();
    if (!with) return std::unexpected(with.error());
    const Login login{
        .user = options_.url.user,
        .password = options_.url.password,
        .client_name = options_.client_name,
        .database = options_.url.database};
    return Link::open(address, login, *with, deadline);
}

Opened Directory::open_verified(const Address& address, const Deadline& deadline) {
    Opened link = open_at(address, deadline);
    if (!link || (*link)->server().is_master()) return link;
    const std::string& master = (*link)->server().master;
    return failed(
        CommandError::not_sent, text_of(address) + " is a replica; its master is " + master
    );
}

Opened Directory::open_master(const Deadline& deadline) {
    const std::optional<Address> hint = std::exchange(moved_to_, std::nullopt);
    if (hint) {
        Opened link = open_verified(*hint, deadline.within(deadline.left() / 2));
        if (link) return link;
    }
    Opened last = failed(CommandError::not_sent, "no time left to connect");
    for (std::size_t at = 0; at < addresses_.size(); ++at) {
        const auto shares = static_cast<long>(addresses_.size() - at);
        const Deadline share = deadline.within(deadline.left() / shares);
        const Address& address = addresses_[at];
        switch (options_.url.topology) {
            case Topology::single: last = open_verified(address, share); break;
            case Topology::sentinel: last = by_sentinel(address, share); break;
            case Topology::cluster: last = by_node(address, share); break;
        }
        if (!last) continue;
        std::ranges::rotate(addresses_, addresses_.begin() + static_cast<std::ptrdiff_t>(at));
        return last;
    }
    std::ranges::rotate(addresses_, addresses_.begin() + 1);
    return last;
}

Opened Directory::by_sentinel(const Address& sentinel, const Deadline& deadline) {
    const auto with = tls();
    if (!with) return std::unexpected(with.error());
    const Login login{.password = options_.sentinel_password, .client_name = options_.client_name};
    const Deadline half = deadline.within(deadline.left() / 2);
    Opened link = Link::open(sentinel, login, *with, half);
    if (!link) return link;
    const std::string& name = options_.url.master_name;
    const auto found = ask(**link, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", name}, half);
    if (!found) return std::unexpected(found.error());
    if (found->items.size() != 2) {
        return failed(
            CommandError::refused,
            "the Sentinel " + text_of(sentinel) + " knows no master named " + name
        );
    }
    const auto master = parse_address(found->items[0].text + ":" + found->items[1].text, sentinel);
    if (!master) return failed(CommandError::not_sent, "the Sentinel names no usable address");
    return open_verified(*master, deadline);
}

Opened Directory::by_node(const Address& node, const Deadline& deadline) {
    const Deadline half = deadline.within(deadline.left() / 2);
    Opened link = open_at(node, half);
    if (!link) return link;
    const auto slots = ask(**link, {"CLUSTER", "SLOTS"}, half);
    if (!slots) return std::unexpected(slots.error());
    const auto owner = owner_of(slot_, *slots, node);
    if (!owner) {
        return failed(
            CommandError::not_sent,
            "CLUSTERDOWN no node of the Cluster serves slot " + std::to_string(slot_)
        );
    }
    if (*owner == node && (*link)->server().is_master()) return link;
    return open_verified(*owner, deadline);
}

}  // namespace firstcome::redis
