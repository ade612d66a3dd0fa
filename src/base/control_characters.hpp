// src/base/control_characters.hpp - a stranger's text, made fit for a terminal
#pragma once

#include <string>
#include <string_view>

namespace firstcome::base {

/// `text` with `instead` for each control character: C0, DEL, and C1 (U+0080 to U+009F), which
/// some terminals obey too.
[[nodiscard]] std::string without_controls(std::string_view text, char instead);

}  // namespace firstcome::base
