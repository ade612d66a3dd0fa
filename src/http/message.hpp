// src/http/message.hpp - a request as the handlers see it, and the answer they give
#pragma once

#include "base/time.hpp"
#include "domain/order.hpp"
#include "http/problem_code.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

/// The methods a route can have; `other` is a well-formed method nobody routes.
enum class Method : std::uint8_t {
    get,
    head,
    post,
    put,
    patch,
    delete_,  // NOLINT: the word without it is the language's
    options,
    other,
};
inline constexpr std::size_t method_count = 8;
[[nodiscard]] std::string_view name(Method method);
[[nodiscard]] Method method_from(std::string_view text);

/// The other end, IPv4 as v4-mapped IPv6.
struct PeerAddress {
    std::array<std::uint8_t, 16> bytes{};

    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] std::string text() const;

    friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
};

/// The id in `X-Request-Id`: the client's when it is 1-64 characters of [A-Za-z0-9._:-], else ours.
class RequestId {
public:
    static constexpr std::size_t size_max = 64;

    /// False: not of that form, and nothing changed.
    bool assign(std::string_view text);
    void make(std::uint64_t random);

    void clear() { size_ = 0; }

    [[nodiscard]] std::string_view text() const { return {text_.data(), size_}; }

private:
    std::array<char, size_max> text_;
    std::uint8_t size_ = 0;
};

struct Route;

/// The limit an admitted request came closest to, for the header RateLimit.
struct LimitNote {
    std::string_view policy{};  ///< empty: none applies
    std::uint32_t remaining = 0;
    std::uint32_t reset_seconds = 0;
};

/// One request. All views live until its answer has been written; none of them owns.
///
/// Thread   the connection's io thread
struct Request {
    Request() = default;
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    Method method = Method::other;
    std::string_view method_text;
    std::string_view target;  ///< as sent
    std::string_view path;    ///< percent-decoded; never holds an encoded slash, NUL or control
    std::string_view path_as_sent;  ///< of the target, without scheme, host and query
    std::string_view query;         ///< as sent, after the '?'; read by query_string.hpp
    std::array<std::string_view, 2> parameters;  ///< of the path, in the order of the template
    std::string_view body;

    std::string_view content_type;
    std::string_view authorization;
    std::string_view idempotency_key;         ///< of the first such field, raw
    std::uint32_t idempotency_key_count = 0;  ///< fields of that name; 2 or more is a mistake
    std::string_view if_none_match;
    std::string_view forwarded_for;  ///< the last X-Forwarded-For field; see fields_named()
    std::string_view deadline_ms;    ///< of Firstcome-Deadline-Ms, raw; "," when it came twice
    std::string_view traceparent;    ///< raw; already read into `trace` when valid
    std::string_view fields;         ///< the raw header lines, each ending in CRLF

    PeerAddress peer;
    PeerAddress client;  ///< the peer, or who trusted proxies say is behind it
    LimitNote limit;
    bool certified = false;         ///< the client has shown a certificate we trust
    base::MonotonicTime arrived{};  ///< when the last byte was read
    domain::TraceContext trace;     ///< of a valid traceparent or B3 (span: the caller's), or ours
    std::optional<bool> parent_sampled;  ///< what the caller decided; nothing: no caller, undecided
    std::uint64_t span = 0;              ///< our own, of a sampled trace; else 0
    RequestId id;
    const Route* route = nullptr;  ///< null: no such route

    std::string decoded_path;  ///< behind `path` when the target held a percent sign

    [[nodiscard]] std::string trace_id() const;  ///< 32 hex digits
    /// The values of a header field, any case of its name, in order. Allocates: not for hot paths.
    [[nodiscard]] std::vector<std::string_view> fields_named(std::string_view name) const;
    void clear();
};

/// What a handler answers. The engine adds Date, Content-Length, Connection and X-Request-Id, and
/// drops the body for HEAD. Reused on the hot path, so its strings keep their room.
struct Response {
    unsigned status = 200;
    std::string_view content_type;  ///< static text; empty: no such field
    std::string headers;            ///< whole lines "Name: value\r\n"
    std::string body;

    /// `value` is text of ours: a CR or LF in it stops the process.
    void add_header(std::string_view name, std::string_view value);
    void clear();
};

/// Writes the problem document of what the engine itself answers; `response` comes cleared.
///
/// Thread   any io thread
using RenderProblem = void (*)(ProblemCode why, const Request& request, Response& response);

/// The trace a `traceparent` field names, with the caller's span. Nothing: not valid.
///
/// Source   W3C Trace Context, level 1, section 3.2
[[nodiscard]] std::optional<domain::TraceContext> trace_from(std::string_view traceparent);

/// Turns %41 into 'A'; '+' stays '+'. Nothing: a '%' that two hex digits do not follow.
///
/// Source   RFC 3986, section 2.1
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace firstcome::http
