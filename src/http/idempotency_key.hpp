// src/http/idempotency_key.hpp - the Idempotency-Key header
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

namespace firstcome::http {

inline constexpr std::size_t idempotency_key_size_max = 255;  ///< characters

/// Why a key cannot be used: each has its own advice (`detail`).
enum class KeyError : std::uint8_t {
    sent_twice,
    empty,
    too_long,
    invalid_character,  // not visible ASCII; a space is not visible
    unbalanced_quotes,  // a quote opened and not closed, closed and not opened, or in the middle
};

/// The key inside a field value, bare (`abc`) or as a structured-field string (`"abc"`): both are
/// the same key. White space around it is skipped. In the quoted form \" and \\ are checked but
/// left as they are, so the result is always a part of `value`.
///
/// Units    1..255 characters of 0x21..0x7E; `lines` is how often the request carries the field
/// Source   draft-ietf-httpapi-idempotency-key-header; RFC 8941, section 3.3.3
[[nodiscard]] std::expected<std::string_view, KeyError> parse_idempotency_key(
    std::string_view value, std::size_t lines = 1
);

/// Whether `key` can be the idempotencyKey of an order in a batch: the same characters, no quotes
/// around.
[[nodiscard]] bool is_idempotency_key(std::string_view key);

/// What to do about it, for the problem's `detail`.
[[nodiscard]] std::string_view detail(KeyError why);

}  // namespace firstcome::http
