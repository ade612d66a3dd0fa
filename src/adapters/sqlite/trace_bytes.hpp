// src/adapters/sqlite/trace_bytes.hpp - a trace as a column of a table
#pragma once

#include "domain/order.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>

namespace firstcome::sqlite {

inline constexpr std::size_t trace_size = 25;  ///< trace id, span id, 1 when sampled

[[nodiscard]] std::array<std::byte, trace_size> bytes_of_trace(const domain::TraceContext& trace);

/// Nothing: these are no such bytes.
[[nodiscard]] std::optional<domain::TraceContext> trace_from(std::span<const std::byte> bytes);

}  // namespace firstcome::sqlite
