// tests/http/beast_agreement.cpp - reads a message with our parser and with Boost.Beast's
//
// The only source that includes Beast, whose headers take long to compile.
#include "tests/http/beast_agreement.hpp"

#include "base/assert.hpp"
#include "http/problem.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <charconv>

namespace firstcome::http {
namespace {

namespace beast = boost::beast;

Reading refused(ProblemCode why) {
    Reading reading;
    reading.verdict = Reading::Verdict::refused;
    reading.why = row(why).code;
    return reading;
}

/// A chunked body, read once more and in the simplest way; only right for what a parser accepted.
struct Chunks {
    std::string plain;  ///< the same chunks, no extensions, no trailers
    std::size_t end = 0;
};

Chunks plain_chunks(std::string_view bytes) {
    Chunks chunks;
    while (true) {
        const std::size_t line_end = bytes.find("\r\n", chunks.end);
        FC_ASSERT(line_end != std::string_view::npos);
        std::size_t size = 0;
        const auto [stop, error] =
            std::from_chars(bytes.data() + chunks.end, bytes.data() + line_end, size, 16);
        FC_ASSERT(error == std::errc{});
        chunks.plain.append(bytes.data() + chunks.end, stop).append("\r\n");
        chunks.end = line_end + 2;
        if (size == 0) break;
        FC_ASSERT(size + 2 <= bytes.size() - chunks.end);
        chunks.plain += bytes.substr(chunks.end, size + 2);
        chunks.end += size + 2;
    }
    while (!bytes.substr(chunks.end).starts_with("\r\n")) {
        chunks.end = bytes.find("\r\n", chunks.end) + 2;
    }
    chunks.plain += "\r\n";
    chunks.end += 2;
    return chunks;
}

/// The head again without the fields of that name.
std::string without_field(std::string_view head, std::string_view name) {
    std::string kept;
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find("\r\n") + 2);
        head.remove_prefix(line.size());
        const bool drop = line.size() > name.size() && line[name.size()] == ':' &&
                          beast::iequals({line.data(), name.size()}, {name.data(), name.size()});
        if (!drop) kept += line;
    }
    return kept;
}

/// The message with everything taken out that Beast is known to see differently.
std::string plain_message(std::string_view message, const Limits& limits) {
    Request request;
    Framing framing;
    const auto head_size = parse_head(message, limits, request, framing);
    FC_ASSERT(head_size);
    const std::string_view head = message.substr(0, *head_size);
    const std::string_view body = message.substr(*head_size);
    std::string plain =
        without_field(head.starts_with("\r\n") ? head.substr(2) : head, "Proxy-Connection");
    if (!framing.chunked) return plain.append(body);
    const Chunks chunks = plain_chunks(body);
    FC_ASSERT(chunks.end == body.size());
    return plain + chunks.plain;
}

std::optional<std::string> difference(const Reading& ours, const Reading& beasts) {
    switch (beasts.verdict) {
        case Reading::Verdict::accepted: break;
        case Reading::Verdict::incomplete: return "Beast waits for more";
        case Reading::Verdict::refused: return "Beast refuses: " + beasts.why;
    }
    if (beasts.method != ours.method) return "Beast's method is " + beasts.method;
    if (beasts.target != ours.target) return "Beast's target is " + beasts.target;
    if (beasts.body != ours.body) return "Beast's body is " + beasts.body;
    if (beasts.end != ours.end) return "Beast's end is at " + std::to_string(beasts.end);
    return std::nullopt;
}

}  // namespace

Reading read_as_we_do(std::string_view stream, const Limits& limits) {
    Request request;
    Framing framing;
    const auto head_size = parse_head(stream, limits, request, framing);
    if (!head_size) return refused(head_size.error());
    if (*head_size == 0) return {};
    Reading reading;
    reading.method = request.method_text;
    reading.target = request.target;
    std::string rest{stream.substr(*head_size)};
    if (framing.chunked) {
        ChunkedDecoder decoder;
        const auto taken = decoder.take(rest, rest.data(), limits.body_size_max, limits);
        if (!taken) return refused(taken.error());
        if (!taken->finished) return {};
        reading.body = rest.substr(0, taken->made);
        reading.end = *head_size + taken->used;
    } else {
        if (framing.content_length > limits.body_size_max) {
            return refused(ProblemCode::payload_too_large);
        }
        if (framing.content_length > rest.size()) return {};
        reading.body = rest.substr(0, framing.content_length);
        reading.end = *head_size + framing.content_length;
    }
    reading.verdict = Reading::Verdict::accepted;
    return reading;
}

Reading read_as_beast(std::string_view stream) {
    beast::http::request_parser<beast::http::string_body> parser;
    parser.eager(true);
    parser.header_limit(1U << 20U);
    parser.body_limit(1U << 20U);
    Reading reading;
    while (!parser.is_done()) {
        boost::system::error_code error;
        const auto used =
            parser.put({stream.data() + reading.end, stream.size() - reading.end}, error);
        reading.end += used;
        if (error == beast::http::error::need_more) return reading;
        if (error) {
            reading.verdict = Reading::Verdict::refused;
            reading.why = error.message();
            return reading;
        }
        if (used == 0 && !parser.is_done()) return reading;
    }
    reading.verdict = Reading::Verdict::accepted;
    const auto& message = parser.get();
    reading.method = std::string{message.method_string()};
    reading.target = std::string{message.target()};
    reading.body = message.body();
    return reading;
}

std::optional<std::string> disagreement(std::string_view stream, const Limits& limits) {
    Reading ours = read_as_we_do(stream, limits);
    if (ours.verdict != Reading::Verdict::accepted) return std::nullopt;
    Reading beasts = read_as_beast(stream);
    if (beasts.verdict != Reading::Verdict::accepted) {
        const std::string plain = plain_message(stream.substr(0, ours.end), limits);
        beasts = read_as_beast(plain);
        ours.end = plain.size();
    }
    return difference(ours, beasts);
}

}  // namespace firstcome::http
