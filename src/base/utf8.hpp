// src/base/utf8.hpp - where a character of UTF-8 ends
#pragma once

#include <cstddef>
#include <string_view>

namespace firstcome::base {

/// Bytes of the character at the start of `text`, which is not empty; 0: it is none. Overlong
/// forms, surrogates and everything above U+10FFFF are none.
///
/// Source   RFC 3629, section 4
[[nodiscard]] std::size_t character_size(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace firstcome::base
