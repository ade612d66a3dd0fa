// src/adapters/postgres/storable.hpp - any text as one that PostgreSQL takes
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace firstcome::postgres {

/// The text with what PostgreSQL takes for no text (NUL, broken UTF-8) replaced by `?`; at most
/// `bytes_max` of it, and never half a character. What a stranger wrote must not keep the row it
/// stands in from being written.
[[nodiscard]] std::string storable(
    std::string_view text, std::size_t bytes_max = std::string_view::npos
);

}  // namespace firstcome::postgres
