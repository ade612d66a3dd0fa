// src/http/cursor.cpp - an order id as 22 characters of base64url
#include "http/cursor.hpp"

#include <array>
#include <cstdint>

namespace firstcome::http {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr unsigned bits_per_character = 6;
constexpr unsigned unused_bits = 4;  // 22 characters hold 132 bits, an id has 128

/// The id shifted left by `bits`, most significant bits falling off.
domain::OrderId shift_left(domain::OrderId id, unsigned bits) {
    return {.high = (id.high << bits) | (id.low >> (64 - bits)), .low = id.low << bits};
}

}  // namespace

void append_cursor(std::string& out, domain::OrderId last) {
    std::array<char, cursor_size> text;
    for (char& c : text) {
        c = alphabet[last.high >> (64 - bits_per_character)];
        last = shift_left(last, bits_per_character);
    }
    out.append(text.data(), text.size());
}

std::optional<domain::OrderId> parse_cursor(std::string_view text) {
    if (text.size() != cursor_size) return std::nullopt;
    domain::OrderId id;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const std::size_t six_bits = alphabet.find(text[at]);
        if (six_bits == std::string_view::npos) return std::nullopt;
        if (at + 1 < text.size()) {
            id = shift_left(id, bits_per_character);
            id.low |= six_bits;
            continue;
        }
        // The last character carries two bits; the others must be zero, or two texts would be the
        // same cursor.
        if ((six_bits & ((1U << unused_bits) - 1)) != 0) return std::nullopt;
        id = shift_left(id, bits_per_character - unused_bits);
        id.low |= six_bits >> unused_bits;
    }
    return domain::OrderId::from(id.text());
}

}  // namespace firstcome::http
