// src/base/json_string.hpp - any text as a JSON string
#pragma once

#include <string>
#include <string_view>

namespace firstcome::base {

/// Appends `text` as a JSON string, quotes included; bytes that are not UTF-8 become U+FFFD, so
/// that what holds it is valid JSON whatever a request held.
void append_json_string(std::string& out, std::string_view text);

[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace firstcome::base
