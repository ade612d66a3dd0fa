// src/base/control_characters.hpp - a stranger's text, made fit for a terminal
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace firstcome::base {

/// Bytes of the control character that begins `text`, which is not empty; 0: none does.
[[nodiscard]] std::size_t control_size(std::string_view text);

/// `text` with `instead` for each control character: C0, DEL, and C1 (U+0080 to U+009F), which
/// some terminals obey too.
[[nodiscard]] std::string without_controls(std::string_view text, char instead);

}  // namespace firstcome::base
