// tests/http/beast_agreement.hpp - reads a message with our parser and with Boost.Beast's
#pragma once

#include "http/request_parser.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::http {

/// The message at the start of a stream, as one parser reads it.
struct Reading {
    enum class Verdict : std::uint8_t { accepted, incomplete, refused };

    Verdict verdict = Verdict::incomplete;
    std::string method;
    std::string target;   ///< as sent
    std::string body;     ///< without chunks
    std::size_t end = 0;  ///< bytes of the stream that belong to it
    std::string why;      ///< the parser's word for a refusal
};

[[nodiscard]] Reading read_as_we_do(std::string_view stream, const Limits& limits = {});
[[nodiscard]] Reading read_as_beast(std::string_view stream);

/// What Beast reads differently in a message we accept. Nothing: both read the same, or we refuse,
/// or the difference is one of these, none of which can move the end of a message:
///
/// - an empty line before the request line: Beast refuses it, we read over one
/// - chunk extensions: Beast refuses those against the grammar, we read over any up to the CRLF
/// - trailers: Beast reads them as header fields (and refuses a Content-Length there), we drop them
/// - Proxy-Connection: Beast refuses one that is no list of tokens, to us it means nothing
///
/// In each case Beast must agree once the odd part is taken out.
[[nodiscard]] std::optional<std::string> disagreement(
    std::string_view stream, const Limits& limits = {}
);

}  // namespace firstcome::http
