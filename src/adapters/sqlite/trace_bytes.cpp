// src/adapters/sqlite/trace_bytes.cpp - a trace as a column of a table
#include "adapters/sqlite/trace_bytes.hpp"

#include <cstdint>

namespace firstcome::sqlite {

namespace {

// Most significant byte first, so that a hex dump of the file reads like the id.
void put(std::byte* out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<std::byte>(value >> shift);
}

std::uint64_t take(const std::byte* in) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = (value << 8U) | std::to_integer<std::uint64_t>(in[i]);
    return value;
}

}  // namespace

std::array<std::byte, trace_size> bytes_of_trace(const domain::TraceContext& trace) {
    std::array<std::byte, trace_size> bytes;
    put(bytes.data(), trace.trace_high);
    put(bytes.data() + 8, trace.trace_low);
    put(bytes.data() + 16, trace.span);
    bytes[24] = std::byte{trace.sampled};
    return bytes;
}

std::optional<domain::TraceContext> trace_from(std::span<const std::byte> bytes) {
    if (bytes.size() != trace_size) return std::nullopt;
    return domain::TraceContext{
        .trace_high = take(bytes.data()),
        .trace_low = take(bytes.data() + 8),
        .span = take(bytes.data() + 16),
        .sampled = bytes[24] != std::byte{0},
    };
}

}  // namespace firstcome::sqlite
