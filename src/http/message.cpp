// src/http/message.cpp - a request as the handlers see it, and the answer they give
#include "http/message.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace firstcome::http {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

void append_hex(std::string& out, std::uint64_t word) {
    for (int shift = 60; shift >= 0; shift -= 4) out += hex_digits[(word >> shift) & 0xFU];
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return lower(x) == lower(y);
    });
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Lower case only, as the standard demands. Nothing: another character.
std::optional<std::uint64_t> lower_hex(std::string_view text) {
    std::uint64_t value = 0;
    for (const char c : text) {
        const auto digit = hex_digits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        value = value << 4U | digit;
    }
    return value;
}

}  // namespace

std::string_view name(Method method) {
    switch (method) {
        case Method::get: return "GET";
        case Method::head: return "HEAD";
        case Method::post: return "POST";
        case Method::put: return "PUT";
        case Method::patch: return "PATCH";
        case Method::delete_: return "DELETE";
        case Method::options: return "OPTIONS";
        case Method::other: return "other";
    }
    FC_UNREACHABLE();
}

Method method_from(std::string_view text) {
    if (text == "POST") return Method::post;
    if (text == "GET") return Method::get;
    if (text == "HEAD") return Method::head;
    if (text == "PUT") return Method::put;
    if (text == "PATCH") return Method::patch;
    if (text == "DELETE") return Method::delete_;
    if (text == "OPTIONS") return Method::options;
    return Method::other;
}

bool PeerAddress::is_v4() const {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    return std::equal(mapped.begin(), mapped.end(), bytes.begin());
}

std::string PeerAddress::text() const {
    std::string out;
    if (is_v4()) {
        for (std::size_t i = 12; i < 16; ++i) {
            if (i > 12) out += '.';
            out += std::to_string(bytes[i]);
        }
        return out;
    }
    for (std::size_t i = 0; i < 16; i += 2) {
        if (i > 0) out += ':';
        const unsigned group = static_cast<unsigned>(bytes[i]) << 8U | bytes[i + 1];
        std::array<char, 4> digits;
        const auto end = std::to_chars(digits.begin(), digits.end(), group, 16);
        out.append(digits.data(), end.ptr);
    }
    return out;
}

bool RequestId::assign(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == ':' || c == '-';
    };
    if (text.empty() || text.size() > size_max) return false;
    if (!std::all_of(text.begin(), text.end(), allowed)) return false;
    std::copy(text.begin(), text.end(), text_.begin());
    size_ = static_cast<std::uint8_t>(text.size());
    return true;
}

void RequestId::make(std::uint64_t random) {
    for (std::size_t i = 0; i < 16; ++i) text_[i] = hex_digits[(random >> (60 - 4 * i)) & 0xFU];
    size_ = 16;
}

std::string Request::trace_id() const {
    std::string out;
    out.reserve(32);
    append_hex(out, trace.trace_high);
    append_hex(out, trace.trace_low);
    return out;
}

std::vector<std::string_view> Request::fields_named(std::string_view wanted) const {
    std::vector<std::string_view> found;
    std::string_view rest = fields;
    while (!rest.empty()) {
        const auto end = rest.find("\r\n");
        if (end == std::string_view::npos) break;
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end + 2);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        if (!same_ignoring_case(line.substr(0, colon), wanted)) continue;
        found.push_back(trimmed(line.substr(colon + 1)));
    }
    return found;
}

void Request::clear() {
    method = Method::other;
    method_text = target = path = path_as_sent = query = body = {};
    parameters = {};
    content_type = authorization = idempotency_key = if_none_match = {};
    idempotency_key_count = 0;
    forwarded_for = deadline_ms = traceparent = fields = {};
    limit = {};
    trace = {};
    parent_sampled.reset();
    span = 0;
    id.clear();
    route = nullptr;
}

void Response::add_header(std::string_view field, std::string_view value) {
    FC_ASSERT(field.find_first_of("\r\n: ") == std::string_view::npos);
    FC_ASSERT(value.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos);
    headers.append(field).append(": ").append(value).append("\r\n");
}

void Response::clear() {
    status = 200;
    content_type = {};
    headers.clear();
    body.clear();
}

std::optional<domain::TraceContext> trace_from(std::string_view text) {
    // 00-<32 hex>-<16 hex>-<2 hex>; a later version may be longer, after another dash.
    constexpr std::size_t size = 55;
    if (text.size() < size) return std::nullopt;
    if (text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
    const auto version = lower_hex(text.substr(0, 2));
    if (!version || *version == 0xFF) return std::nullopt;
    if (text.size() > size && (*version == 0 || text[size] != '-')) return std::nullopt;
    const auto high = lower_hex(text.substr(3, 16));
    const auto low = lower_hex(text.substr(19, 16));
    const auto span = lower_hex(text.substr(36, 16));
    const auto flags = lower_hex(text.substr(53, 2));
    if (!high || !low || !span || !flags) return std::nullopt;
    if ((*high | *low) == 0 || *span == 0) return std::nullopt;
    return domain::TraceContext{
        .trace_high = *high, .trace_low = *low, .span = *span, .sampled = (*flags & 1U) != 0};
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            decoded += text[at];
            continue;
        }
        if (text.size() - at < 3) return std::nullopt;
        const int high = hex_value(text[at + 1]);
        const int low = hex_value(text[at + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        decoded += static_cast<char>(high * 16 + low);
        at += 2;
    }
    return decoded;
}

}  // namespace firstcome::http
