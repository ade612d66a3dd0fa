// src/http/timestamp.hpp - points in time as people and other programs write them
#pragma once

#include "base/time.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace firstcome::http {

inline constexpr std::size_t timestamp_size = 24;  ///< bytes of "2026-11-22T11:26:00.123Z"

/// Writes exactly `timestamp_size` bytes: UTC, milliseconds.
///
/// Units    1970..9999; what lies outside is written as the nearest of the two
/// Source   RFC 3339
[[nodiscard]] char* write_timestamp(char* out, base::WallTime time);

/// Reads an RFC 3339 date-time; a zone ("Z" or "+09:00") is a must, digits below a millisecond are
/// cut off, leap seconds (":60") are not taken.
///
/// Units    1970..9999 in UTC; nothing when outside or malformed
[[nodiscard]] std::optional<base::WallTime> parse_timestamp(std::string_view text);

}  // namespace firstcome::http
