// src/base/hash.cpp - the keyed hash, by xxHash
#include "base/hash.hpp"

#include "base/assert.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

namespace firstcome::base {

KeyedHash::Secret KeyedHash::new_secret(Entropy& entropy) {
    Secret secret;
    for (std::size_t at = 0; at < secret.size(); at += sizeof(std::uint64_t)) {
        const std::uint64_t word = entropy.next();
        std::memcpy(secret.data() + at, &word, sizeof(word));
    }
    return secret;
}

std::uint64_t KeyedHash::hash64(std::string_view text) const {
    return XXH3_64bits_withSecret(text.data(), text.size(), secret_.data(), secret_.size());
}

Hash128 KeyedHash::hash128(std::string_view first, std::string_view second) const {
    // The length of the first part stands in front, so the border between the two is part of the
    // input.
    std::array<char, 512> joined;
    FC_ASSERT(first.size() <= 255);
    FC_ASSERT(second.size() <= 255);
    joined[0] = static_cast<char>(first.size());
    std::memcpy(joined.data() + 1, first.data(), first.size());
    std::memcpy(joined.data() + 1 + first.size(), second.data(), second.size());
    const XXH128_hash_t hash = XXH3_128bits_withSecret(
        joined.data(), 1 + first.size() + second.size(), secret_.data(), secret_.size()
    );
    return Hash128{.high = hash.high64, .low = hash.low64};
}

}  // namespace firstcome::base
