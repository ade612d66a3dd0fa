// src/http/json.hpp - writing JSON: the few pieces every answer is made of
#pragma once

#include "base/json_string.hpp"
#include "base/time.hpp"

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::http {

inline constexpr std::string_view json_content_type = "application/json";

using base::append_json_string;

void append_integer(std::string& out, std::int64_t value);
void append_unsigned(std::string& out, std::uint64_t value);

/// `"2026-11-22T11:26:00.123Z"`, or null.
void append_timestamp(std::string& out, std::optional<base::WallTime> time);

/// An id of a client (its characters need no escaping): a canonical int64 as a number, anything
/// else as a string.
void append_id(std::string& out, std::string_view id);

/// The same pieces into a buffer the caller made large enough; each returns the end.
///
/// Units    an integer takes at most 20 bytes, an id 66, a timestamp 24 (without quotes)
[[nodiscard]] inline char* write_text(char* out, std::string_view text) {
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
}

[[nodiscard]] inline char* write_integer(char* out, std::int64_t value) {
    return std::to_chars(out, out + 20, value).ptr;
}

[[nodiscard]] inline char* write_unsigned(char* out, std::uint64_t value) {
    return std::to_chars(out, out + 20, value).ptr;
}

[[nodiscard]] char* write_id(char* out, std::string_view id);

}  // namespace firstcome::http
