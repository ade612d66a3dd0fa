// src/adapters/postgres/param.cpp - values in PostgreSQL's binary form
#include "adapters/postgres/param.hpp"

#include "adapters/postgres/wire.hpp"

namespace firstcome::postgres {

SqlType encode(std::string& out, std::int64_t value) {
    put_big_endian(out, static_cast<std::uint64_t>(value), 8);
    return {.element = 20, .array = 1016};
}

SqlType encode(std::string& out, bool value) {
    out.push_back(value ? '\1' : '\0');
    return {.element = 16, .array = 1000};
}

SqlType encode(std::string& out, std::string_view value) {
    out.append(value);
    return {.element = 25, .array = 1009};
}

SqlType encode(std::string& out, std::span<const std::byte> value) {
    out.append(reinterpret_cast<const char*>(value.data()), value.size());
    return {.element = 17, .array = 1001};
}

SqlType encode(std::string& out, const domain::OrderId& value) {
    put_big_endian(out, value.high, 8);
    put_big_endian(out, value.low, 8);
    return {.element = 2950, .array = 2951};
}

SqlType encode(std::string& out, const domain::KeyHash& value) {
    put_big_endian(out, value.high, 8);
    put_big_endian(out, value.low, 8);
    return {.element = 17, .array = 1001};
}

SqlType encode(std::string& out, base::WallTime value) {
    const std::int64_t micros = (value - year_2000).count() * 1000;
    put_big_endian(out, static_cast<std::uint64_t>(micros), 8);
    return {.element = 1184, .array = 1185};
}

SqlType encode(std::string& out, const domain::TraceContext& value) {
    put_big_endian(out, value.trace_high, 8);
    put_big_endian(out, value.trace_low, 8);
    put_big_endian(out, value.span, 8);
    out.push_back(value.sampled ? '\1' : '\0');
    return {.element = 17, .array = 1001};
}

// Dimensions, whether there may be nulls, the element's type; per dimension its size and first
// index; then per element its size (-1: null) and bytes.
void Param::begin_array(std::uint32_t element_type, std::size_t size) {
    put_big_endian(bytes_, size == 0 ? 0 : 1, 4);
    put_big_endian(bytes_, 1, 4);
    put_big_endian(bytes_, element_type, 4);
    if (size == 0) return;
    put_big_endian(bytes_, size, 4);
    put_big_endian(bytes_, 1, 4);
    bytes_.reserve(bytes_.size() + size * 24);
}

void Param::end_element(std::size_t began, bool null) {
    const std::uint64_t size = null ? 0xFFFF'FFFFU : bytes_.size() - began - 4;
    for (std::size_t at = 0; at < 4; ++at) {
        bytes_[began + at] = static_cast<char>((size >> (24 - 8 * at)) & 0xFFU);
    }
}

}  // namespace firstcome::postgres
