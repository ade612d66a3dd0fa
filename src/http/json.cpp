// src/http/json.cpp - writing JSON: escaping, ids, times
#include "http/json.hpp"

#include "domain/types.hpp"
#include "http/timestamp.hpp"

#include <array>

namespace firstcome::http {

namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";  // U+FFFD in UTF-8

bool is_plain(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\';
}

bool is_continuation(unsigned char byte) {
    return (byte & 0xC0U) == 0x80U;
}

/// Bytes of the UTF-8 sequence at the start of `text`, 0 when it is none (overlong forms,
/// surrogates and everything above U+10FFFF are none).
std::size_t sequence_size(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char first = byte(0);
    std::size_t size = 0;
    unsigned char second_min = 0x80;
    unsigned char second_max = 0xBF;
    if (first >= 0xC2 && first <= 0xDF) {
        size = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        size = 3;
        if (first == 0xE0) second_min = 0xA0;
        if (first == 0xED) second_max = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        size = 4;
        if (first == 0xF0) second_min = 0x90;
        if (first == 0xF4) second_max = 0x8F;
    }
    if (size == 0 || text.size() < size) return 0;
    if (byte(1) < second_min || byte(1) > second_max) return 0;
    for (std::size_t at = 2; at < size; ++at) {
        if (!is_continuation(byte(at))) return 0;
    }
    return size;
}

void append_escape(std::string& out, char c) {
    switch (c) {
        case '"': out += "\\\""; return;
        case '\\': out += "\\\\"; return;
        case '\n': out += "\\n"; return;
        case '\r': out += "\\r"; return;
        case '\t': out += "\\t"; return;
        default: break;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    out += "\\u00";
    out += digits[byte >> 4U];
    out += digits[byte & 0xFU];
}

/// Up to 18 digits always fit an int64, so the usual numeric id is known without parsing it.
bool is_number(std::string_view id) {
    if (id.empty() || id.size() > 20) return false;
    if (id.size() > 18 || id.front() == '-') return domain::is_canonical_integer(id);
    if (id.front() == '0') return id.size() == 1;
    for (const char c : id) {
        if (c < '0' || c > '9') return false;
    }
    return true;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        std::size_t plain = 0;
        while (plain < text.size() && is_plain(text[plain])) ++plain;
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) break;
        if (static_cast<unsigned char>(text.front()) < 0x80) {
            append_escape(out, text.front());
            text.remove_prefix(1);
            continue;
        }
        const std::size_t size = sequence_size(text);
        out += size == 0 ? replacement_character : text.substr(0, size);
        text.remove_prefix(size == 0 ? 1 : size);
    }
    out += '"';
}

void append_integer(std::string& out, std::int64_t value) {
    std::array<char, 20> buffer;
    char* end = write_integer(buffer.data(), value);
    out.append(buffer.data(), end);
}

void append_unsigned(std::string& out, std::uint64_t value) {
    std::array<char, 20> buffer;
    char* end = write_unsigned(buffer.data(), value);
    out.append(buffer.data(), end);
}

void append_timestamp(std::string& out, std::optional<base::WallTime> time) {
    if (!time) {
        out += "null";
        return;
    }
    std::array<char, timestamp_size + 2> buffer;
    buffer.front() = '"';
    char* end = write_timestamp(buffer.data() + 1, *time);
    *end++ = '"';
    out.append(buffer.data(), end);
}

char* write_id(char* out, std::string_view id) {
    if (is_number(id)) return write_text(out, id);
    *out++ = '"';
    out = write_text(out, id);
    *out++ = '"';
    return out;
}

void append_id(std::string& out, std::string_view id) {
    std::array<char, 66> buffer;
    char* end = write_id(buffer.data(), id);
    out.append(buffer.data(), end);
}

}  // namespace firstcome::http
