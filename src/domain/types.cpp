// src/domain/types.cpp - UUIDv7 and canonical integers
#include "domain/types.hpp"

#include <charconv>

namespace firstcome::domain {

namespace {

constexpr std::uint64_t version_7 = 0x7000;
constexpr std::uint64_t counter_max = 0x0FFF;

constexpr int milliseconds_shift = 16;

std::uint64_t high_of(std::uint64_t milliseconds, std::uint64_t counter) {
    return (milliseconds << milliseconds_shift) | version_7 | counter;
}

/// Writes the lowest `digits` hex digits; gives the place after them.
char* write_hex(char* out, std::uint64_t value, int digits) {
    constexpr std::string_view alphabet = "0123456789abcdef";
    for (int at = digits - 1; at >= 0; --at) {
        out[at] = alphabet[value & 0xFU];
        value >>= 4U;
    }
    return out + digits;
}

}  // namespace

bool is_canonical_integer(std::string_view id) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), value);
    if (error != std::errc{} || end != id.data() + id.size()) return false;
    std::array<char, 24> again;
    const auto written = std::to_chars(again.data(), again.data() + again.size(), value);
    return id ==
           std::string_view(again.data(), static_cast<std::size_t>(written.ptr - again.data()));
}

void OrderId::write(char* out) const {
    // 8-4-4-4-12 digits.
    out = write_hex(out, high >> 32U, 8);
    *out++ = '-';
    out = write_hex(out, high >> 16U, 4);
    *out++ = '-';
    out = write_hex(out, high, 4);
    *out++ = '-';
    out = write_hex(out, low >> 48U, 4);
    *out++ = '-';
    write_hex(out, low, 12);
}

std::string OrderId::text() const {
    std::string text(36, '-');
    write(text.data());
    return text;
}

std::optional<OrderId> OrderId::from(std::string_view text) {
    if (text.size() != 36) return std::nullopt;
    std::array<std::uint64_t, 2> halves{};
    int digit = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (at == 8 || at == 13 || at == 18 || at == 23) {
            if (c != '-') return std::nullopt;
            continue;
        }
        std::uint64_t value = 0;
        if (c >= '0' && c <= '9') {
            value = static_cast<std::uint64_t>(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = static_cast<std::uint64_t>(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            value = static_cast<std::uint64_t>(c - 'A' + 10);
        } else {
            return std::nullopt;
        }
        auto& half = halves[digit < 16 ? 0 : 1];
        half = (half << 4U) | value;
        ++digit;
    }
    const OrderId id{.high = halves[0], .low = halves[1]};
    const bool is_version_7 = (id.high & 0xF000U) == version_7;
    const bool is_rfc_variant = (id.low >> 62U) == 0b10U;
    if (!is_version_7 || !is_rfc_variant) return std::nullopt;
    return id;
}

OrderId OrderIdMaker::next(WallTime now) {
    const auto milliseconds = static_cast<std::uint64_t>(now.time_since_epoch().count());
    std::uint64_t high = high_of(milliseconds, 0);
    if (high <= last_high_) {
        // The same millisecond, or a clock that stepped back: count on from the last id.
        const std::uint64_t last_milliseconds = last_high_ >> milliseconds_shift;
        const std::uint64_t counter = last_high_ & counter_max;
        high = counter < counter_max ? high_of(last_milliseconds, counter + 1)
                                     : high_of(last_milliseconds + 1, 0);
    }
    FC_ASSERT(high > last_high_);
    last_high_ = high;
    constexpr std::uint64_t random_bits = (std::uint64_t{1} << 56U) - 1;
    const std::uint64_t low = (std::uint64_t{0b10} << 62U) | (std::uint64_t{shard_} << 56U) |
                              (entropy_.next() & random_bits);
    return OrderId{.high = high, .low = low};
}

}  // namespace firstcome::domain
