// src/http/cursor.hpp - where the next page begins, as text that says nothing to outsiders
#pragma once

#include "domain/types.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::http {

inline constexpr std::size_t cursor_size = 22;  ///< characters: 16 bytes in base64url, no padding

/// Source   RFC 4648, section 5
void append_cursor(std::string& out, domain::OrderId last);

/// Nothing unless `text` is a cursor `append_cursor` could have written.
[[nodiscard]] std::optional<domain::OrderId> parse_cursor(std::string_view text);

}  // namespace firstcome::http
