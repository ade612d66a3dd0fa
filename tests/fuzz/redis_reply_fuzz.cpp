// tests/fuzz/redis_reply_fuzz.cpp - whatever the bytes: replies within bounds, however they are cut
#include "adapters/redis/reply.hpp"
#include "base/assert.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace {

using firstcome::redis::Reply;
using firstcome::redis::ReplyReader;

constexpr int depth_max = 9;  // a scalar within eight arrays

std::size_t count_of(const Reply& reply, int depth) {
    FC_ASSERT(depth <= depth_max);
    FC_ASSERT(reply.items.empty() || reply.is(Reply::Kind::array));
    FC_ASSERT(reply.text.empty() || !reply.is(Reply::Kind::array));
    std::size_t count = 1;
    for (const Reply& each : reply.items) count += count_of(each, depth + 1);
    return count;
}

/// Values in each reply; ended by a 0 where the bytes are not Redis any more.
std::vector<std::size_t> read_in_pieces(std::span<const char> bytes, std::size_t piece) {
    std::vector<std::size_t> counts;
    ReplyReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        reader.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
        while (true) {
            const auto reply = reader.next();
            if (!reply) FC_ASSERT(!reply.error().empty());
            if (!reply) counts.push_back(0);
            if (!reply) return counts;
            if (!*reply) break;
            counts.push_back(count_of(**reply, 1));
        }
    }
    return counts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t piece = 1 + bytes[0] % 16U;
    const std::span text{reinterpret_cast<const char*>(bytes) + 1, size - 1};
    const auto whole = read_in_pieces(text, size);
    std::size_t values = 0;
    for (const std::size_t count : whole) values += count;
    FC_ASSERT(values <= size);
    FC_ASSERT(read_in_pieces(text, piece) == whole);
    return 0;
}
