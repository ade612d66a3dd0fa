// src/http/request_parser.hpp - reads one request's bytes in place, strictly
#pragma once

#include "http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace firstcome::http {

struct Limits {
    std::size_t request_line_size_max = std::size_t{8} * 1024;  ///< bytes
    std::size_t fields_size_max = std::size_t{16} * 1024;       ///< bytes, all header lines
    std::size_t fields_count_max = 100;
    std::size_t body_size_max = std::size_t{64} * 1024;  ///< bytes, where no route says otherwise
};

/// Where a message ends, and what happens to the connection after it.
struct Framing {
    std::size_t content_length = 0;  ///< bytes
    bool chunked = false;
    bool keep_alive = true;
    bool http_1_0 = false;
    bool expects_continue = false;
};

/// Parses request line and header fields at the start of `bytes`; `request` and `framing` come
/// cleared, and `request` views into `bytes`.
///
/// Returns  the head's size in bytes; 0: not complete yet (whatever is there is fine so far)
/// Errors   malformed_request, uri_too_long, headers_too_large, expectation_failed,
///          version_not_supported: the connection cannot be read any further
/// Source   RFC 9112 sections 2-6; stricter: no bare LF, no obs-fold, one Content-Length, only
///          `chunked` as Transfer-Encoding
[[nodiscard]] std::expected<std::size_t, ProblemCode> parse_head(
    std::string_view bytes, const Limits& limits, Request& request, Framing& framing
);

/// Decodes a chunked body where it lies: `take` moves data to the front of what it was given.
///
/// Source   RFC 9112 section 7.1; trailers are checked and dropped
class ChunkedDecoder {
public:
    struct Taken {
        std::size_t used = 0;  ///< bytes of input that are done with
        std::size_t made = 0;  ///< bytes of body now at the output
        bool finished = false;
    };

    /// Reads `input`; body bytes go to `output`, which may overlap it from the front.
    ///
    /// Errors   malformed_request, payload_too_large (above `body_size_max` in all),
    ///          headers_too_large (trailers)
    [[nodiscard]] std::expected<Taken, ProblemCode> take(
        std::span<char> input, char* output, std::size_t body_size_max, const Limits& limits
    );

private:
    enum class State : std::uint8_t { size_line, data, data_end, trailer };

    State state_ = State::size_line;
    std::size_t chunk_left_ = 0;
    std::size_t body_size_ = 0;
    std::size_t trailers_size_ = 0;
    std::size_t trailers_count_ = 0;
};

}  // namespace firstcome::http
