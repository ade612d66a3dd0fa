// src/adapters/postgres/wire.hpp - how PostgreSQL writes numbers and times: big endian
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::postgres {

/// timestamptz counts microseconds from here.
inline constexpr base::WallTime year_2000 =
    std::chrono::sys_days{std::chrono::year{2000} / std::chrono::January / 1};

inline void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>((value >> static_cast<unsigned>(shift)) & 0xFFU));
    }
}

[[nodiscard]] inline std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = (value << 8U) | static_cast<unsigned char>(byte);
    return value;
}

}  // namespace firstcome::postgres
