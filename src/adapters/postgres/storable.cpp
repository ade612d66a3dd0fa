// src/adapters/postgres/storable.cpp - any text as one that PostgreSQL takes
#include "adapters/postgres/storable.hpp"

#include <algorithm>

namespace firstcome::postgres {

namespace {

// The size of the UTF-8 character that begins `text`; 0: there is none.
std::size_t character_size(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return first == 0 ? 0 : 1;
    const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
    for (std::size_t at = 1; at < size; ++at) {
        if ((byte(at) & 0xC0U) != 0x80) return 0;
    }
    const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
    const bool beyond = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
    return overlong || beyond ? 0 : size;
}

}  // namespace

std::string storable(std::string_view text, std::size_t bytes_max) {
    std::string stored;
    while (!text.empty()) {
        const std::size_t size = character_size(text);
        if (stored.size() + std::max<std::size_t>(size, 1) > bytes_max) break;
        stored.append(size > 0 ? text.substr(0, size) : "?");
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return stored;
}

}  // namespace firstcome::postgres
