// src/telemetry/log_line.cpp - escaping: a stranger's text can neither end a line nor open a field
#include "telemetry/log_line.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <iterator>

namespace firstcome::log {

namespace {

constexpr std::array<std::string_view, 4> own_names{"ts", "level", "msg", "thread"};
constexpr std::size_t text_bytes_max = 8192;  // of one message or value; a body is no log line

/// Bytes of the UTF-8 character that starts `text`; 0: none does.
///
/// Source   Unicode 15, table 3-7 (no overlong forms, no surrogates, nothing above U+10FFFF)
std::size_t utf8_size(std::string_view text) {
    const auto byte = [&](std::size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    const auto follows = [&](std::size_t at, unsigned low = 0x80, unsigned high = 0xBF) {
        return byte(at) >= low && byte(at) <= high;
    };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
        const unsigned high = first == 0xED ? 0x9F : 0xBF;
        return follows(1, low, high) && follows(2) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const unsigned low = first == 0xF0 ? 0x90 : 0x80;
        const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
        return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

/// C0, DEL, and C1, which some terminals obey too; U+2028 and U+2029 end a line for some readers.
bool needs_escape(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7F;
    if (character.size() == 2)
        return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
    return character == "\u2028" || character == "\u2029";
}

unsigned code_point(std::string_view character) {
    const auto byte = [&](std::size_t at) {
        return static_cast<unsigned>(static_cast<unsigned char>(character[at]));
    };
    if (character.size() == 1) return byte(0);
    if (character.size() == 2) return ((byte(0) & 0x1FU) << 6U) | (byte(1) & 0x3FU);
    return ((byte(0) & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU);
}

void append_escaped(std::string& out, std::string_view text) {
    const bool cut = text.size() > text_bytes_max;
    text = text.substr(0, text_bytes_max);
    while (!text.empty()) {
        const std::size_t size = utf8_size(text);
        const std::string_view character = text.substr(0, std::max<std::size_t>(size, 1));
        text.remove_prefix(character.size());
        if (size == 0) {
            out += "\uFFFD";
        } else if (character == "\"" || character == "\\") {
            out.append("\\").append(character);
        } else if (character == "\n") {
            out += "\\n";
        } else if (needs_escape(character)) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", code_point(character));
        } else {
            out += character;
        }
    }
    if (cut) out += "...";
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text);
    out += '"';
}

/// JSON has no word for NaN and infinity.
void append_number(std::string& out, double value) {
    if (std::isfinite(value)) {
        fmt::format_to(std::back_inserter(out), "{}", value);
    } else {
        append_quoted(out, fmt::format("{}", value));
    }
}

struct JsonValue {
    std::string& out;

    void operator()(bool value) const { out += value ? "true" : "false"; }

    void operator()(double value) const { append_number(out, value); }

    void operator()(std::string_view value) const { append_quoted(out, value); }

    template <std::integral Number>
    void operator()(Number value) const {
        fmt::format_to(std::back_inserter(out), "{}", value);
    }
};

/// Bare where nothing in it could be taken for something else.
struct TextValue {
    std::string& out;

    void operator()(std::string_view value) const {
        const bool bare = !value.empty() && std::ranges::all_of(value, [](unsigned char c) {
            return std::isalnum(c) != 0 || std::string_view{"._:/-+@,[]"}.find(static_cast<char>(c)
                                           ) != std::string_view::npos;
        });
        if (bare) {
            append_escaped(out, value);
        } else {
            append_quoted(out, value);
        }
    }

    template <typename Other>
    void operator()(Other value) const {
        JsonValue{out}(value);
    }
};

}  // namespace

std::string json_line(const Record& record) {
    std::string out;
    out.reserve(256);
    const auto milliseconds = record.at.time_since_epoch().count() % 1000;
    fmt::format_to(
        std::back_inserter(out),
        R"({{"ts":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","msg":)",
        fmt::gmtime(std::chrono::system_clock::to_time_t(record.at)),
        milliseconds,
        name(record.level)
    );
    append_quoted(out, record.message);
    out += R"(,"thread":)";
    append_quoted(out, record.thread);
    for (const Field& field : record.fields) {
        const bool taken = std::ranges::find(own_names, field.key) != own_names.end();
        out += ",\"";
        append_escaped(out, field.key);
        out += taken ? "_\":" : "\":";
        std::visit(JsonValue{out}, field.value.variant());
    }
    out += "}\n";
    return out;
}

std::string text_line(const Record& record) {
    std::string out;
    out.reserve(256);
    std::string level{name(record.level)};
    std::ranges::transform(level, level.begin(), [](unsigned char c) {
        return static_cast<char>(std::toupper(c));
    });
    fmt::format_to(
        std::back_inserter(out),
        "{:%H:%M:%S}.{:03} {:<5} ",
        fmt::gmtime(std::chrono::system_clock::to_time_t(record.at)),
        record.at.time_since_epoch().count() % 1000,
        level
    );
    append_escaped(out, record.thread);
    out += "  ";
    append_escaped(out, record.message);
    if (record.fields.size() != 0) out += ' ';
    for (const Field& field : record.fields) {
        out += ' ';
        append_escaped(out, field.key);
        out += '=';
        std::visit(TextValue{out}, field.value.variant());
    }
    out += '\n';
    return out;
}

}  // namespace firstcome::log
