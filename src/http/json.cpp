// src/http/json.cpp - writing JSON: numbers, ids, times
#include "http/json.hpp"

#include "domain/types.hpp"
#include "http/timestamp.hpp"

#include <array>

namespace firstcome::http {

namespace {

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
