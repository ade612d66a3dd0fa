// src/http/request_parser.cpp - reads one request's bytes in place, strictly
#include "http/request_parser.hpp"

#include "base/assert.hpp"
#include "http/b3.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

namespace firstcome::http {
namespace {

/// RFC 9110's tchar: what a method or a field name is made of.
constexpr std::array<bool, 256> make_token_characters() {
    std::array<bool, 256> table{};
    for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
    for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
    for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
    for (const char c : std::string_view{"!#$%&'*+-.^_`|~"})
        table[static_cast<unsigned char>(c)] = true;
    return table;
}

constexpr auto token_characters = make_token_characters();

bool is_token_character(char c) {
    return token_characters[static_cast<unsigned char>(c)];
}

bool is_token(std::string_view text) {
    for (const char c : text) {
        if (!is_token_character(c)) return false;
    }
    return !text.empty();
}

/// Visible ASCII without '#': a fragment never goes over the wire.
bool is_target(std::string_view text) {
    for (const char c : text) {
        if (c <= 0x20 || c >= 0x7F || c == '#') return false;
    }
    return !text.empty();
}

/// Field values: visible ASCII, space, tab, and bytes from 0x80; no other control, no NUL, no CR.
/// A lambda, so that std::all_of takes it inline and not through a pointer, for each byte.
constexpr auto is_value_character = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7F) || byte == '\t';
};

/// Eight bytes at a time, since every byte of every header passes here.
bool is_value(std::string_view text) {
    constexpr std::uint64_t ones = 0x0101010101010101U;
    constexpr std::uint64_t tops = ones * 0x80U;
    while (text.size() >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), 8);
        const std::uint64_t below_space = (word - ones * 0x20U) & ~word & tops;
        const std::uint64_t del = word ^ (ones * 0x7FU);
        const std::uint64_t is_del = (del - ones) & ~del & tops;
        if ((below_space | is_del) != 0) {
            if (!std::all_of(text.begin(), text.begin() + 8, is_value_character)) return false;
        }
        text.remove_prefix(8);
    }
    return std::all_of(text.begin(), text.end(), is_value_character);
}

/// Compares with a literal in lower case that is made of letters, digits, '-' and ':' only. Setting
/// the case bit everywhere is exact for texts without control characters, which all callers have
/// refused before.
template <std::size_t size>
bool same_ignoring_case(std::string_view text, const char (&lower_case)[size]) {
    if (text.size() != size - 1) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < size - 1; ++i) {
        const auto folded = static_cast<unsigned char>(text[i]) | 0x20U;
        difference |= folded ^ static_cast<unsigned char>(lower_case[i]);
    }
    return difference == 0;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// What the fields said that matters for framing.
struct Seen {
    unsigned host = 0;
    unsigned content_length = 0;
    unsigned transfer_encoding = 0;
    unsigned traceparent = 0;
    unsigned authorization = 0;
    bool b3 = false;
    bool connection_close = false;
    bool connection_keep_alive = false;
    bool length_overflows = false;
    bool other_expectation = false;
};

struct Parse {
    const Limits& limits;
    Request& request;
    Framing& framing;
    Seen seen;
    unsigned minor_version = 1;
};

/// The line at `from` without its CRLF. Nothing: a bare LF ends it, or a bare CR is inside.
std::optional<std::string_view> line_before(
    std::string_view bytes, std::size_t from, std::size_t lf
) {
    if (lf == from || bytes[lf - 1] != '\r') return std::nullopt;
    return bytes.substr(from, lf - 1 - from);
}

std::size_t find_lf(std::string_view bytes, std::size_t from) {
    const void* found = std::memchr(bytes.data() + from, '\n', bytes.size() - from);
    if (found == nullptr) return std::string_view::npos;
    return static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
}

bool read_path(std::string_view path, Request& request) {
    if (path.find('%') == std::string_view::npos) {
        request.path = path;
        return true;
    }
    auto decoded = percent_decoded(path);
    if (!decoded) return false;
    // An encoded slash would make two different paths look the same to someone in front of us.
    if (std::count(decoded->begin(), decoded->end(), '/') !=
        std::count(path.begin(), path.end(), '/')) {
        return false;
    }
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    };
    if (std::any_of(decoded->begin(), decoded->end(), is_control)) return false;
    request.decoded_path = *std::move(decoded);
    request.path = request.decoded_path;
    return true;
}

bool read_target(std::string_view target, Request& request) {
    if (!is_target(target)) return false;
    request.target = target;
    std::string_view rest = target;
    if (target == "*") {
        request.path = request.path_as_sent = target;
        return request.method == Method::options;
    }
    if (target.front() != '/') {
        const auto scheme = target.find("://");
        if (scheme == std::string_view::npos) return false;
        const std::string_view name = target.substr(0, scheme);
        if (!same_ignoring_case(name, "http") && !same_ignoring_case(name, "https")) return false;
        rest.remove_prefix(scheme + 3);
        const auto authority = std::min(rest.find_first_of("/?"), rest.size());
        if (authority == 0) return false;
        rest.remove_prefix(authority);
    }
    const auto question = rest.find('?');
    if (question != std::string_view::npos) {
        request.query = rest.substr(question + 1);
        rest = rest.substr(0, question);
    }
    request.path_as_sent = rest.empty() ? std::string_view{"/"} : rest;
    return read_path(request.path_as_sent, request);
}

std::optional<ProblemCode> read_request_line(std::string_view line, Parse& parse) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return ProblemCode::malformed_request;
    parse.request.method_text = line.substr(0, first);
    if (!is_token(parse.request.method_text)) return ProblemCode::malformed_request;
    parse.request.method = method_from(parse.request.method_text);

    const std::string_view version = line.substr(last + 1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") &&
                             is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
    if (!well_formed) return ProblemCode::malformed_request;
    if (!read_target(line.substr(first + 1, last - first - 1), parse.request)) {
        return ProblemCode::malformed_request;
    }
    if (version[5] != '1' || version[7] > '1') return ProblemCode::version_not_supported;
    parse.minor_version = static_cast<unsigned>(version[7] - '0');
    return std::nullopt;
}

bool read_content_length(std::string_view value, Parse& parse) {
    if (++parse.seen.content_length > 1) return false;
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (value.empty() || !std::all_of(value.begin(), value.end(), is_digit)) return false;
    std::size_t length = 0;
    for (const char c : value) {
        if (length > (SIZE_MAX - 9) / 10) {
            parse.seen.length_overflows = true;
            return true;
        }
        length = length * 10 + static_cast<std::size_t>(c - '0');
    }
    parse.framing.content_length = length;
    return true;
}

bool read_host(std::string_view value, Parse& parse) {
    ++parse.seen.host;
    const auto is_allowed = [](char c) {
        return is_token_character(c) || c == ':' || c == '[' || c == ']' || c == '(' || c == ')' ||
               c == ';' || c == '=';
    };
    return std::all_of(value.begin(), value.end(), is_allowed);
}

bool read_connection(std::string_view value, Parse& parse) {
    while (true) {
        const auto comma = std::min(value.find(','), value.size());
        const std::string_view option = trimmed(value.substr(0, comma));
        if (!option.empty() && !is_token(option)) return false;
        if (same_ignoring_case(option, "close")) parse.seen.connection_close = true;
        if (same_ignoring_case(option, "keep-alive")) parse.seen.connection_keep_alive = true;
        if (comma == value.size()) return true;
        value.remove_prefix(comma + 1);
    }
}

bool begins_b3(std::string_view name) {
    return same_ignoring_case(name.substr(0, 5), "x-b3-");
}

// Both are read by whoever comes after us in the trace: the standard's own field wins.
void read_trace(const Seen& seen, Request& request) {
    if (seen.traceparent == 1) {
        if (const auto trace = trace_from(request.traceparent)) {
            request.trace = *trace;
            request.parent_sampled = trace->sampled;
            return;
        }
    }
    if (!seen.b3) return;
    if (const auto b3 = b3_of(request)) {
        request.trace = b3->trace;
        request.trace.sampled = b3->sampled.value_or(false);
        request.parent_sampled = b3->sampled;
    }
}

/// False: the framing is in doubt.
bool read_field(std::string_view name, std::string_view value, Parse& parse) {
    Request& request = parse.request;
    switch (name.size()) {
        case 2:
            if (same_ignoring_case(name, "b3")) parse.seen.b3 = true;
            break;
        case 4:
            if (same_ignoring_case(name, "host")) return read_host(value, parse);
            break;
        case 6:
            if (same_ignoring_case(name, "expect")) {
                parse.framing.expects_continue = true;
                if (!same_ignoring_case(value, "100-continue")) parse.seen.other_expectation = true;
            }
            break;
        case 10:
            if (same_ignoring_case(name, "connection")) return read_connection(value, parse);
            if (begins_b3(name)) parse.seen.b3 = true;
            break;
        case 11:
            if (same_ignoring_case(name, "traceparent")) {
                ++parse.seen.traceparent;
                request.traceparent = value;
            }
            if (begins_b3(name)) parse.seen.b3 = true;
            break;
        case 12:
            if (same_ignoring_case(name, "content-type")) request.content_type = value;
            if (same_ignoring_case(name, "x-request-id")) request.id.assign(value);
            if (begins_b3(name)) parse.seen.b3 = true;
            break;
        case 13:
            if (same_ignoring_case(name, "authorization")) {
                // Whoever stands in front may have looked at the other one.
                if (++parse.seen.authorization > 1) return false;
                request.authorization = value;
            }
            if (same_ignoring_case(name, "if-none-match")) request.if_none_match = value;
            break;
        case 14:
            if (same_ignoring_case(name, "content-length"))
                return read_content_length(value, parse);
            break;
        case 15:
            if (same_ignoring_case(name, "idempotency-key")) {
                if (++request.idempotency_key_count == 1) request.idempotency_key = value;
            }
            if (same_ignoring_case(name, "x-forwarded-for")) request.forwarded_for = value;
            break;
        case 17:
            if (same_ignoring_case(name, "transfer-encoding")) {
                if (++parse.seen.transfer_encoding > 1) return false;
                return same_ignoring_case(value, "chunked");
            }
            break;
        case 21:
            if (same_ignoring_case(name, "firstcome-deadline-ms")) {
                request.deadline_ms = request.deadline_ms.empty() ? value : ",";
            }
            break;
        default: break;
    }
    return true;
}

bool read_field_line(std::string_view line, Parse& parse) {
    std::size_t colon = 0;
    while (colon < line.size() && is_token_character(line[colon])) ++colon;
    // Also catches obs-fold (a line that begins with a space) and a space before the colon.
    if (colon == 0 || colon == line.size() || line[colon] != ':') return false;
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_value(value)) return false;
    return read_field(line.substr(0, colon), value, parse);
}

std::optional<ProblemCode> conclude(Parse& parse) {
    const Seen& seen = parse.seen;
    const bool http_1_0 = parse.minor_version == 0;
    if (seen.host > 1 || (seen.host == 0 && !http_1_0)) return ProblemCode::malformed_request;
    if (seen.transfer_encoding > 0 && (seen.content_length > 0 || http_1_0)) {
        return ProblemCode::malformed_request;
    }
    if (seen.length_overflows) return ProblemCode::payload_too_large;
    if (seen.other_expectation) return ProblemCode::expectation_failed;
    parse.framing.http_1_0 = http_1_0;
    parse.framing.chunked = seen.transfer_encoding > 0;
    parse.framing.keep_alive = !seen.connection_close && (!http_1_0 || seen.connection_keep_alive);
    if (http_1_0) parse.framing.expects_continue = false;
    read_trace(seen, parse.request);
    return std::nullopt;
}

/// A quote that nothing ends would hide from a laxer reader where the line does.
bool ends_its_quotes(std::string_view text) {
    bool quoted = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '"') quoted = !quoted;
        if (quoted && text[at] == '\\') ++at;
    }
    return !quoted;
}

/// The number before the extensions. Nothing: no digits, anything but hex, or beyond any body.
std::optional<std::size_t> chunk_size(std::string_view line) {
    constexpr std::size_t digits_max = 8;
    const std::string_view digits = line.substr(0, line.find(';'));
    if (digits.empty() || digits.size() > digits_max || !is_value(line)) return std::nullopt;
    if (!ends_its_quotes(line.substr(digits.size()))) return std::nullopt;
    std::size_t size = 0;
    for (const char c : digits) {
        const char low = c >= 'A' && c <= 'F' ? static_cast<char>(c | 0x20) : c;
        const bool is_decimal = low >= '0' && low <= '9';
        if (!is_decimal && (low < 'a' || low > 'f')) return std::nullopt;
        size = size * 16 + static_cast<std::size_t>(is_decimal ? low - '0' : low - 'a' + 10);
    }
    return size;
}

bool is_trailer(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
    return is_value(line.substr(colon + 1));
}

}  // namespace

std::expected<std::size_t, ProblemCode> parse_head(
    std::string_view bytes, const Limits& limits, Request& request, Framing& framing
) {
    Parse parse{.limits = limits, .request = request, .framing = framing, .seen = {}};
    std::size_t at = 0;
    // RFC 9112 section 2.2: some clients end a body with an empty line that is not part of it.
    if (bytes.starts_with("\r\n")) at = 2;
    const std::size_t line_end = find_lf(bytes, at);
    if (std::min(line_end, bytes.size()) - at > limits.request_line_size_max + 1) {
        return std::unexpected(ProblemCode::uri_too_long);
    }
    if (line_end == std::string_view::npos) return 0;
    const auto request_line = line_before(bytes, at, line_end);
    if (!request_line) return std::unexpected(ProblemCode::malformed_request);
    if (const auto problem = read_request_line(*request_line, parse)) {
        return std::unexpected(*problem);
    }

    const std::size_t fields_begin = line_end + 1;
    at = fields_begin;
    for (std::size_t count = 0;; ++count) {
        const std::size_t lf = find_lf(bytes, at);
        if (std::min(lf, bytes.size()) - fields_begin > limits.fields_size_max + 1) {
            return std::unexpected(ProblemCode::headers_too_large);
        }
        if (lf == std::string_view::npos) return 0;
        const auto line = line_before(bytes, at, lf);
        if (!line) return std::unexpected(ProblemCode::malformed_request);
        if (line->empty()) {
            request.fields = bytes.substr(fields_begin, at - fields_begin);
            at = lf + 1;
            break;
        }
        if (count == limits.fields_count_max)
            return std::unexpected(ProblemCode::headers_too_large);
        if (!read_field_line(*line, parse)) return std::unexpected(ProblemCode::malformed_request);
        at = lf + 1;
    }
    if (const auto problem = conclude(parse)) return std::unexpected(*problem);
    return at;
}

std::expected<ChunkedDecoder::Taken, ProblemCode> ChunkedDecoder::take(
    std::span<char> input, char* output, std::size_t body_size_max, const Limits& limits
) {
    // A chunk's size line is a few digits; extensions are read over, but not at any length.
    constexpr std::size_t size_line_max = 256;
    const std::string_view bytes{input.data(), input.size()};
    Taken taken;
    while (true) {
        const std::size_t left = bytes.size() - taken.used;
        switch (state_) {
            case State::size_line: {
                const std::size_t lf = find_lf(bytes, taken.used);
                if (std::min(lf, bytes.size()) - taken.used > size_line_max) {
                    return std::unexpected(ProblemCode::malformed_request);
                }
                if (lf == std::string_view::npos) return taken;
                const auto line = line_before(bytes, taken.used, lf);
                if (!line) return std::unexpected(ProblemCode::malformed_request);
                const auto size = chunk_size(*line);
                if (!size) return std::unexpected(ProblemCode::malformed_request);
                if (*size > body_size_max - body_size_) {
                    return std::unexpected(ProblemCode::payload_too_large);
                }
                body_size_ += *size;
                chunk_left_ = *size;
                state_ = *size == 0 ? State::trailer : State::data;
                taken.used = lf + 1;
                break;
            }
            case State::data: {
                const std::size_t size = std::min(chunk_left_, left);
                std::memmove(output + taken.made, input.data() + taken.used, size);
                taken.made += size;
                taken.used += size;
                chunk_left_ -= size;
                if (chunk_left_ > 0) return taken;
                state_ = State::data_end;
                break;
            }
            case State::data_end:
                if (left > 0 && bytes[taken.used] != '\r') {
                    return std::unexpected(ProblemCode::malformed_request);
                }
                if (left < 2) return taken;
                if (bytes[taken.used + 1] != '\n')
                    return std::unexpected(ProblemCode::malformed_request);
                taken.used += 2;
                state_ = State::size_line;
                break;
            case State::trailer: {
                const std::size_t lf = find_lf(bytes, taken.used);
                const std::size_t size = std::min(lf, bytes.size()) - taken.used;
                if (trailers_size_ + size > limits.fields_size_max) {
                    return std::unexpected(ProblemCode::headers_too_large);
                }
                if (lf == std::string_view::npos) return taken;
                const auto line = line_before(bytes, taken.used, lf);
                if (!line) return std::unexpected(ProblemCode::malformed_request);
                taken.used = lf + 1;
                trailers_size_ += size;
                if (line->empty()) {
                    taken.finished = true;
                    return taken;
                }
                if (++trailers_count_ > limits.fields_count_max) {
                    return std::unexpected(ProblemCode::headers_too_large);
                }
                if (!is_trailer(*line)) return std::unexpected(ProblemCode::malformed_request);
                break;
            }
        }
    }
}

}  // namespace firstcome::http
