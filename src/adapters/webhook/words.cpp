// src/adapters/webhook/words.cpp - a stranger's text, made fit for a log, a table and a page
#include "adapters/webhook/words.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace firstcome::webhook {

namespace {

constexpr std::size_t bytes_max = 1000;  // so says ports::DeliveryFailure

// Bytes of the UTF-8 character at the front; 0: it is none.
std::size_t character_size(std::string_view text) {
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first < 0x80                     ? 1
                             : first >= 0xC2 && first <= 0xDF ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
    if (size == 0 || text.size() < size) return 0;
    constexpr std::array<std::uint32_t, 5> first_bits{0, 0x7F, 0x1F, 0x0F, 0x07};
    std::uint32_t code = first & first_bits[size];
    for (std::size_t at = 1; at < size; ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if ((byte & 0xC0U) != 0x80U) return 0;
        code = (code << 6U) | (byte & 0x3FU);
    }
    // Longer than need be, half of a pair, beyond the last one.
    constexpr std::array<std::uint32_t, 5> lowest{0, 0, 0x80, 0x800, 0x10000};
    if (code < lowest[size] || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return 0;
    return size;
}

/// C0, DEL, and C1, which some terminals obey too.
bool is_control(std::string_view character) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(character[at]); };
    if (character.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
    return character.size() == 2 && byte(0) == 0xC2 && byte(1) < 0xA0;
}

}  // namespace

std::string in_plain_words(std::string_view text) {
    std::string words;
    while (!text.empty()) {
        const std::size_t size = character_size(text);
        std::string_view next = text.substr(0, size);
        if (size == 0) next = "?";
        if (is_control(next)) next = " ";
        if (words.size() + next.size() > bytes_max) break;
        words += next;
        text.remove_prefix(size == 0 ? 1 : size);
    }
    while (words.ends_with(' ')) words.pop_back();
    return words;
}

}  // namespace firstcome::webhook
