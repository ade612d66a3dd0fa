// src/domain/types.hpp - the nouns of the trade, as types that cannot be swapped
#pragma once

#include "base/assert.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::domain {

using base::WallTime;

/// An opaque id a client chose: 1-64 characters of [A-Za-z0-9._:-], kept inline so that it never
/// allocates.
template <typename Tag>
class Id {
public:
    static constexpr std::size_t size_max = 64;

    /// Nothing when the text breaks the rule above.
    [[nodiscard]] static std::optional<Id> from(std::string_view text) {
        if (text.empty() || text.size() > size_max) return std::nullopt;
        if (!std::all_of(text.begin(), text.end(), allowed)) return std::nullopt;
        Id id;
        std::copy(text.begin(), text.end(), id.text_.begin());
        id.size_ = static_cast<std::uint8_t>(text.size());
        return id;
    }

    [[nodiscard]] std::string_view text() const { return {text_.data(), size_}; }

    friend bool operator==(const Id& a, const Id& b) { return a.text() == b.text(); }

    friend auto operator<=>(const Id& a, const Id& b) { return a.text() <=> b.text(); }

private:
    static bool allowed(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == ':' || c == '-';
    }

    std::array<char, size_max> text_;
    std::uint8_t size_ = 0;
};

using ItemId = Id<struct ItemTag>;
using UserId = Id<struct UserTag>;

/// Whether the id is the one spelling of a signed 64-bit integer ("42", "-7", not "042"): such ids
/// are JSON numbers.
[[nodiscard]] bool is_canonical_integer(std::string_view id);

/// Units of stock. Wide, because an item's total is bounded by nothing but this.
using Units = std::int64_t;

/// The most units one item may ever have: far above any sale, far below what sums could overflow.
inline constexpr Units stock_units_max = 1'000'000'000'000;

/// The place an order took in its item's line: 1, 2, 3, ... without gaps.
using Sequence = std::uint64_t;

/// A user and an idempotency key, as one keyed hash; the raw key is not kept.
using KeyHash = base::Hash128;

/// A UUIDv7. `high` rises strictly within a shard and is the row's key; `low` cannot be guessed.
///
/// Source   RFC 9562, section 5.7 and method 1 of 6.2 (counter in rand_a)
struct OrderId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    friend auto operator<=>(const OrderId&, const OrderId&) = default;

    /// The shard that made the id (0-63): the six bits after the variant, so a reader opens one
    /// store only.
    [[nodiscard]] unsigned shard() const { return static_cast<unsigned>(low >> 56U) & 0x3FU; }

    [[nodiscard]] std::string text() const;
    /// Writes the 36 characters of the canonical form.
    void write(char* out) const;
    /// Nothing unless the text is a UUIDv7 in canonical form (upper case is read too).
    [[nodiscard]] static std::optional<OrderId> from(std::string_view text);
};

/// An id's time is of the node that made it. So far it may be from any other clock where an order
/// is looked for by its id: a day and an hour; missing one would break a promise.
inline constexpr std::chrono::hours id_clocks_apart_max{25};

/// Makes ids whose `high` is above every one made before, also when the wall clock steps back.
///
/// Thread   one shard's lane
class OrderIdMaker {
public:
    OrderIdMaker(unsigned shard, std::uint64_t last_high, base::Entropy& entropy)
        : shard_(shard), last_high_(last_high), entropy_(entropy) {
        FC_ASSERT(shard < 64);
    }

    [[nodiscard]] OrderId next(WallTime now);

private:
    unsigned shard_;
    std::uint64_t last_high_;
    base::Entropy& entropy_;  // outlives
};

}  // namespace firstcome::domain

template <typename Tag>
struct std::hash<firstcome::domain::Id<Tag>> {
    std::size_t operator()(const firstcome::domain::Id<Tag>& id) const noexcept {
        return std::hash<std::string_view>{}(id.text());
    }
};
