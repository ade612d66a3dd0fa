// src/base/control_characters.cpp - a stranger's text, made fit for a terminal
#include "base/control_characters.hpp"

namespace firstcome::base {

std::size_t control_size(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x20 || first == 0x7F) return 1;
    if (first != 0xC2 || text.size() < 2) return 0;
    const auto second = static_cast<unsigned char>(text[1]);
    return second >= 0x80 && second < 0xA0 ? 2 : 0;
}

std::string without_controls(std::string_view text, char instead) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t size = control_size(text);
        out += size == 0 ? text.front() : instead;
        text.remove_prefix(size == 0 ? 1 : size);
    }
    return out;
}

}  // namespace firstcome::base
