// src/adapters/webhook/words.cpp - a stranger's text, made fit for a log, a table and a page
#include "adapters/webhook/words.hpp"

#include "base/control_characters.hpp"
#include "base/utf8.hpp"

#include <cstddef>

namespace firstcome::webhook {

namespace {

constexpr std::size_t bytes_max = 1000;  // so says ports::DeliveryFailure

}  // namespace

std::string in_plain_words(std::string_view text) {
    std::string words;
    while (!text.empty()) {
        const std::size_t size = base::character_size(text);
        std::string_view next = text.substr(0, size);
        if (size == 0) next = "?";
        if (base::control_size(text) != 0) next = " ";
        if (words.size() + next.size() > bytes_max) break;
        words += next;
        text.remove_prefix(size == 0 ? 1 : size);
    }
    while (words.ends_with(' ')) words.pop_back();
    return words;
}

}  // namespace firstcome::webhook
