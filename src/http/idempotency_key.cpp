// src/http/idempotency_key.cpp - the Idempotency-Key header, bare or quoted
#include "http/idempotency_key.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace firstcome::http {

namespace {

/// A lambda, so that std::all_of takes it inline and not through a pointer.
constexpr auto is_visible = [](char c) { return c >= 0x21 && c <= 0x7E; };

std::string_view without_surrounding_space(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    const auto last = text.find_last_not_of(" \t");
    return text.substr(first, last - first + 1);
}

/// Whether quotes and backslashes between the outer quotes are as RFC 8941 wants them.
bool is_well_quoted(std::string_view inside) {
    for (std::size_t at = 0; at < inside.size(); ++at) {
        if (inside[at] == '"') return false;
        if (inside[at] != '\\') continue;
        ++at;
        if (at == inside.size() || (inside[at] != '"' && inside[at] != '\\')) return false;
    }
    return true;
}

}  // namespace

std::expected<std::string_view, KeyError> parse_idempotency_key(
    std::string_view value, std::size_t lines
) {
    if (lines > 1) return std::unexpected(KeyError::sent_twice);
    std::string_view key = without_surrounding_space(value);
    if (key.empty()) return std::unexpected(KeyError::empty);
    if (key.front() == '"') {
        if (key.size() == 1 || key.back() != '"') {
            return std::unexpected(KeyError::unbalanced_quotes);
        }
        key = key.substr(1, key.size() - 2);
        if (key.empty()) return std::unexpected(KeyError::empty);
        if (!is_well_quoted(key)) return std::unexpected(KeyError::unbalanced_quotes);
    } else if (key.find('"') != std::string_view::npos) {
        return std::unexpected(KeyError::unbalanced_quotes);
    }
    if (key.size() > idempotency_key_size_max) return std::unexpected(KeyError::too_long);
    if (!std::all_of(key.begin(), key.end(), is_visible)) {
        return std::unexpected(KeyError::invalid_character);
    }
    return key;
}

bool is_idempotency_key(std::string_view key) {
    return !key.empty() && key.size() <= idempotency_key_size_max &&
           std::all_of(key.begin(), key.end(), is_visible);
}

std::string_view detail(KeyError why) {
    switch (why) {
        case KeyError::sent_twice:
            return "Send the Idempotency-Key header once; it was there more than once.";
        case KeyError::empty:
            return "The Idempotency-Key is empty; send a new random value, such as a UUID, for "
                   "each order, or leave the header out.";
        case KeyError::too_long:
            return "The Idempotency-Key is too long; send at most 255 characters, such as a UUID.";
        case KeyError::invalid_character:
            return "The Idempotency-Key may hold visible ASCII characters only, without spaces; "
                   "send a UUID, for example.";
        case KeyError::unbalanced_quotes:
            return "The quotes of the Idempotency-Key do not match; send it bare (abc) or within "
                   "one pair of double quotes (\"abc\").";
    }
    FC_UNREACHABLE();
}

}  // namespace firstcome::http
