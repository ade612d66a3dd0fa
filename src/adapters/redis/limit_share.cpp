// src/adapters/redis/limit_share.cpp - what clients used, told from node to node over one stream
#include "adapters/redis/limit_share.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace firstcome::redis {

namespace {

using ports::LimitShareError;
using ports::LimitUse;

constexpr std::string_view shard_key = "fc:{limits}:";
constexpr std::string_view stream = "fc:{limits}:uses";
constexpr std::string_view entries_max = "256";  // some seconds of ten nodes
constexpr std::string_view kept_for_ms = "60000";
constexpr std::size_t use_bytes = 13;

void append_little_endian(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (; bytes > 0; --bytes, value >>= 8U) out += static_cast<char>(value & 0xFFU);
}

std::uint64_t little_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (std::size_t at = bytes.size(); at > 0; --at) {
        value = value << 8U | static_cast<unsigned char>(bytes[at - 1]);
    }
    return value;
}

std::string packed(std::span<const LimitUse> uses) {
    std::string out;
    out.reserve(uses.size() * use_bytes);
    for (const LimitUse& use : uses) {
        append_little_endian(out, use.key, 8);
        append_little_endian(out, use.count, 4);
        append_little_endian(out, use.policy, 1);
    }
    return out;
}

/// What is left over at the end was written by something else, and is passed over.
void unpack(std::string_view packed, std::vector<LimitUse>& out) {
    for (; packed.size() >= use_bytes; packed.remove_prefix(use_bytes)) {
        out.push_back({
            .key = little_endian(packed.substr(0, 8)),
            .count = static_cast<std::uint32_t>(little_endian(packed.substr(8, 4))),
            .policy = static_cast<std::uint8_t>(packed[12]),
        });
    }
}

ConnectionOptions for_limits(ConnectionOptions options) {
    options.shard_key = shard_key;
    options.client_name += "-limits";
    return options;
}

bool is_entry(const Reply& entry) {
    return entry.is(Reply::Kind::array) && entry.items.size() == 2 &&
           entry.items[1].is(Reply::Kind::array) && entry.items[1].items.size() == 4;
}

/// The entries of an XREAD of one stream; null: none.
const std::vector<Reply>* entries_of(const Reply& read) {
    if (!read.is(Reply::Kind::array) || read.items.size() != 1) return nullptr;
    const Reply& of_stream = read.items.front();
    if (!of_stream.is(Reply::Kind::array) || of_stream.items.size() != 2) return nullptr;
    return &of_stream.items[1].items;
}

}  // namespace

LimitShare::LimitShare(ConnectionOptions options, const base::Clock& clock, base::Entropy& entropy)
    : connection_(for_limits(std::move(options)), clock) {
    append_little_endian(node_, entropy.next(), 8);
}

std::expected<std::vector<LimitUse>, LimitShareError> LimitShare::exchange(
    std::span<const LimitUse> used
) {
    // The first entry is added even when it says nothing: its id is where reading begins.
    const bool adds = !used.empty() || read_to_.empty();
    const std::string uses = packed(used);
    const std::array<std::string_view, 10> add{
        "XADD", stream, "MAXLEN", "~", entries_max, "*", "n", node_, "u", uses};
    const std::array<std::string_view, 3> keep{"PEXPIRE", stream, kept_for_ms};
    const std::array<std::string_view, 6> read{
        "XREAD", "COUNT", entries_max, "STREAMS", stream, read_to_};
    std::vector<Words> commands;
    if (!read_to_.empty()) commands.emplace_back(read);
    if (adds) commands.insert(commands.end(), {Words{add}, Words{keep}});

    const auto replies = connection_.pipeline(commands);
    const bool failed = !replies || std::ranges::any_of(*replies, [](const Reply& reply) {
        return reply.is(Reply::Kind::error);
    });
    if (failed) {
        // What the others told meanwhile is old by the time we hear it: begin anew.
        read_to_.clear();
        return std::unexpected(LimitShareError::unavailable);
    }
    std::vector<LimitUse> theirs;
    if (read_to_.empty()) {
        read_to_ = replies->front().text;
        return theirs;
    }
    const auto* entries = entries_of(replies->front());
    if (entries == nullptr) return theirs;
    for (const Reply& entry : *entries) {
        if (!is_entry(entry)) continue;
        read_to_ = entry.items[0].text;
        const auto& fields = entry.items[1].items;
        if (fields[1].text != node_) unpack(fields[3].text, theirs);
    }
    return theirs;
}

}  // namespace firstcome::redis
