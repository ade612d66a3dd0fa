// src/base/hash.hpp - keyed hashes: short, fixed-size stand-ins for keys and users
#pragma once

#include "base/entropy.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firstcome::base {

struct Hash128 {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    friend auto operator<=>(const Hash128&, const Hash128&) = default;
};

/// Hashes with a secret that is drawn once per data directory, so nobody outside can aim at a
/// collision.
///
/// Thread   any (immutable)
/// Source   xxHash, XXH3 with a custom secret; the secret's size is its default, 192 bytes
class KeyedHash {
public:
    using Secret = std::array<std::byte, 192>;

    explicit KeyedHash(const Secret& secret) : secret_(secret) {}

    [[nodiscard]] static Secret new_secret(Entropy& entropy);

    [[nodiscard]] std::uint64_t hash64(std::string_view text) const;

    /// Of two texts as a pair: ("ab","c") and ("a","bc") differ.
    [[nodiscard]] Hash128 hash128(std::string_view first, std::string_view second) const;

private:
    Secret secret_;
};

}  // namespace firstcome::base
