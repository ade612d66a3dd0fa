// tests/http/request_parser_test.cpp - what is read, and what is refused
#include "http/request_parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firstcome::http {
namespace {

std::string verdict(std::string_view bytes, const Limits& limits = {}) {
    Request request;
    Framing framing;
    const auto size = parse_head(bytes, limits, request, framing);
    if (!size) return std::string{row(size.error()).code};
    return *size == 0 ? "incomplete" : "ok";
}

std::string with_fields(std::string_view fields) {
    return "POST /a HTTP/1.1\r\n" + std::string{fields} + "\r\n";
}

TEST(RequestHead, GivesWhatWasSent) {
    const std::string text =
        "POST /api/v1/orders?x=1&y=%20 HTTP/1.1\r\n"
        "Host: shop.example:8080\r\n"
        "content-TYPE:  application/json \t\r\n"
        "Content-Length: 0042\r\n"
        "Idempotency-Key: \"k-1\"\r\n"
        "Authorization: Bearer t\r\n"
        "If-None-Match: \"e\"\r\n"
        "X-Request-Id: req-7\r\n"
        "X-Forwarded-For: 1.2.3.4\r\n"
        "X-Forwarded-For: 5.6.7.8\r\n"
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
        "\r\nBODY";
    Request request;
    Framing framing;
    const auto size = parse_head(text, {}, request, framing);
    ASSERT_TRUE(size);
    EXPECT_EQ(*size, text.size() - 4);
    EXPECT_EQ(request.method, Method::post);
    EXPECT_EQ(request.target, "/api/v1/orders?x=1&y=%20");
    EXPECT_EQ(request.path_as_sent, "/api/v1/orders");
    EXPECT_EQ(request.path, "/api/v1/orders");
    EXPECT_EQ(request.query, "x=1&y=%20");
    EXPECT_EQ(request.content_type, "application/json");
    EXPECT_EQ(framing.content_length, 42U);
    EXPECT_TRUE(framing.keep_alive);
    EXPECT_EQ(request.idempotency_key, "\"k-1\"");
    EXPECT_EQ(request.idempotency_key_count, 1U);
    EXPECT_EQ(request.authorization, "Bearer t");
    EXPECT_EQ(request.if_none_match, "\"e\"");
    EXPECT_EQ(request.id.text(), "req-7");
    EXPECT_EQ(request.forwarded_for, "5.6.7.8");
    EXPECT_EQ(request.fields_named("x-forwarded-FOR").size(), 2U);
    EXPECT_EQ(request.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(request.trace.span, 0xb7ad6b7169203331U);
    EXPECT_TRUE(request.trace.sampled);
}

TEST(RequestHead, EveryPrefixIsIncompleteAndNothingElse) {
    const std::string text = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
    for (std::size_t size = 0; size < text.size(); ++size) {
        EXPECT_EQ(verdict(text.substr(0, size)), "incomplete") << size;
    }
    EXPECT_EQ(verdict(text), "ok");
}

TEST(RequestHead, RefusesWhatTwoReadersCouldReadDifferently) {
    struct Row {
        std::string text;
        std::string_view expect;
        std::string_view why;
    };

    const std::string host = "Host: a\r\n";
    const std::string nul{"Host: a\r\nX: a\0b\r\n", 17};
    const Row rows[] = {
        {with_fields(host), "ok", "the smallest request"},
        {"\r\n" + with_fields(host), "ok", "an empty line first is read over"},
        {"\r\n\r\n" + with_fields(host), "malformed_request", "but only one: a flood has no end"},
        {with_fields("Host:\r\n"), "ok", "an empty Host is allowed"},
        {with_fields(host + "X:\r\n"), "ok", "an empty value"},
        {with_fields(host + "X: \x80\xFF\r\n"), "ok", "obs-text"},
        {with_fields(host + "X: a\tb\r\n"), "ok", "a tab inside"},
        {with_fields(""), "malformed_request", "no Host"},
        {with_fields(host + host), "malformed_request", "two Hosts"},
        {with_fields(host + "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n"),
         "malformed_request",
         "two credentials"},
        {with_fields("Host: a, b\r\n"), "malformed_request", "a list as Host"},
        {with_fields("Host: a b\r\n"), "malformed_request", "a space in Host"},
        {with_fields(host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
         "malformed_request",
         "both framings"},
        {with_fields(host + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
         "malformed_request",
         "both framings, other order"},
        {with_fields(host + "Content-Length: 1\r\nContent-Length: 1\r\n"),
         "malformed_request",
         "two lengths, even equal ones"},
        {with_fields(host + "Content-Length: 1, 1\r\n"), "malformed_request", "listed lengths"},
        {with_fields(host + "Content-Length: +1\r\n"), "malformed_request", "a signed length"},
        {with_fields(host + "Content-Length: -1\r\n"), "malformed_request", "a negative length"},
        {with_fields(host + "Content-Length: 0x1\r\n"), "malformed_request", "a hex length"},
        {with_fields(host + "Content-Length: 1 1\r\n"), "malformed_request", "a spaced length"},
        {with_fields(host + "Content-Length: \r\n"), "malformed_request", "an empty length"},
        {with_fields(host + "Content-Length: 99999999999999999999999\r\n"),
         "payload_too_large",
         "a length beyond 64 bits"},
        {with_fields(host + "Transfer-Encoding: chunked\r\n"), "ok", "chunked"},
        {with_fields(host + "Transfer-Encoding: Chunked\r\n"), "ok", "chunked, any case"},
        {with_fields(host + "Transfer-Encoding: xchunked\r\n"), "malformed_request", "xchunked"},
        {with_fields(host + "Transfer-Encoding: identity\r\n"), "malformed_request", "identity"},
        {with_fields(host + "Transfer-Encoding: gzip, chunked\r\n"), "malformed_request", "gzip"},
        {with_fields(host + "Transfer-Encoding: chunked, chunked\r\n"),
         "malformed_request",
         "chunked twice in one field"},
        {with_fields(host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
         "malformed_request",
         "chunked in two fields"},
        {with_fields(host + "Transfer-Encoding: \"chunked\"\r\n"), "malformed_request", "quoted"},
        {with_fields(host + "Transfer-Encoding : chunked\r\n"),
         "malformed_request",
         "a space before the colon"},
        {with_fields(host + "X: a\r\n b\r\n"), "malformed_request", "obs-fold"},
        {with_fields(host + "X: a\r\n\tb\r\n"), "malformed_request", "obs-fold with a tab"},
        {with_fields(" X: a\r\n" + host), "malformed_request", "a space before the first field"},
        {with_fields(host + "X\r\n"), "malformed_request", "no colon"},
        {with_fields(host + ": a\r\n"), "malformed_request", "no name"},
        {with_fields(host + "X(: a\r\n"), "malformed_request", "no token"},
        {with_fields(nul), "malformed_request", "NUL in a value"},
        {with_fields(host + "X: a\x01\r\n"), "malformed_request", "a control in a value"},
        {with_fields(host + "X: 1234567\x7F\r\n"), "malformed_request", "DEL in a value"},
        {with_fields(host + "X: a\rb\r\n"), "malformed_request", "a bare CR in a value"},
        {"POST /a HTTP/1.1\nHost: a\n\n", "malformed_request", "bare LF"},
        {"POST /a HTTP/1.1\r\nHost: a\n\r\n", "malformed_request", "one bare LF"},
        {"POST /a HTTP/1.1\r\nHost: a\r\n\n", "malformed_request", "a bare LF at the end"},
        {"POST /a HTTP/1.1\rHost: a\r\n\r\n", "malformed_request", "a bare CR"},
        {"POST  /a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "two spaces"},
        {"POST /a  HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "two spaces"},
        {"POST /a HTTP/1.1 \r\nHost: a\r\n\r\n", "malformed_request", "a space at the end"},
        {" POST /a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "a space at the start"},
        {"POST\t/a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "a tab"},
        {"POST /a\r\nHost: a\r\n\r\n", "malformed_request", "HTTP/0.9"},
        {"PO(T /a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "no token as method"},
        {"POST a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "a relative target"},
        {"POST * HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "* is for OPTIONS"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "ok", "asterisk-form"},
        {"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "authority-form"},
        {"GET http://a:80/b?c HTTP/1.1\r\nHost: a\r\n\r\n", "ok", "absolute-form"},
        {"GET HTTP://a HTTP/1.1\r\nHost: a\r\n\r\n", "ok", "absolute-form without path"},
        {"GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "no authority"},
        {"GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "another scheme"},
        {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "a fragment"},
        {"GET /\xC3\xA4 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "raw bytes in target"},
        {"GET /%C3%A4 HTTP/1.1\r\nHost: a\r\n\r\n", "ok", "escaped bytes in target"},
        {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "a broken escape"},
        {"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "half an escape"},
        {"GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "an escaped slash"},
        {"GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "an escaped NUL"},
        {"GET /a%0d%0aX HTTP/1.1\r\nHost: a\r\n\r\n", "malformed_request", "an escaped CRLF"},
        {"GET / HTTP/1.0\r\n\r\n", "ok", "HTTP/1.0 needs no Host"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
         "malformed_request",
         "HTTP/1.0 has no chunks"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "version_not_supported", "HTTP/2 in clear"},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "version_not_supported", "HTTP/1.2"},
        {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", "version_not_supported", "HTTP/0.9"},
        {"GET / HTTP/11\r\nHost: a\r\n\r\n", "malformed_request", "no version"},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", "malformed_request", "the name is in capitals"},
        {with_fields(host + "Expect: 100-Continue\r\n"), "ok", "the one expectation"},
        {with_fields(host + "Connection: , close ,\r\n"), "ok", "empty list elements"},
        {with_fields(host + "Connection: a b\r\n"), "malformed_request", "no list of tokens"},
        {with_fields(host + "Connection: \"close\"\r\n"), "malformed_request", "a quoted option"},
        {with_fields(host + "Expect: 200-ok\r\n"), "expectation_failed", "another expectation"},
    };
    for (const Row& row : rows) EXPECT_EQ(verdict(row.text), row.expect) << row.why;
}

TEST(RequestHead, HasLimits) {
    const std::string host = "Host: a\r\n";
    const auto line = [](std::size_t size) {
        return "GET /" + std::string(size - 14, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    EXPECT_EQ(verdict(line(8192)), "ok");
    EXPECT_EQ(verdict(line(8193)), "uri_too_long");
    EXPECT_EQ(verdict(std::string(9000, 'a')), "uri_too_long") << "without a line end, too";

    std::string fields = host;
    for (int i = 0; i < 99; ++i) fields += "X: a\r\n";
    EXPECT_EQ(verdict(with_fields(fields)), "ok");
    EXPECT_EQ(verdict(with_fields(fields + "X: a\r\n")), "headers_too_large");

    const auto field = [&](std::size_t size) {
        return with_fields(host + "X: " + std::string(size - host.size() - 5, 'a') + "\r\n");
    };
    EXPECT_EQ(verdict(field(16384)), "ok");
    EXPECT_EQ(verdict(field(16385)), "headers_too_large");
    EXPECT_EQ(verdict("GET / HTTP/1.1\r\nX: " + std::string(17000, 'a')), "headers_too_large");
}

TEST(RequestHead, SaysWhetherTheConnectionGoesOn) {
    struct Row {
        std::string_view version;
        std::string_view connection;
        bool keep_alive;
    };

    const Row rows[] = {
        {"1.1", "", true},
        {"1.1", "Connection: close\r\n", false},
        {"1.1", "Connection: keep-alive\r\n", true},
        {"1.1", "Connection: Upgrade, CLOSE\r\n", false},
        {"1.0", "", false},
        {"1.0", "Connection: Keep-Alive\r\n", true},
        {"1.0", "Connection: keep-alive, close\r\n", false},
    };
    for (const Row& row : rows) {
        const std::string text = "GET / HTTP/" + std::string{row.version} + "\r\nHost: a\r\n" +
                                 std::string{row.connection} + "\r\n";
        Request request;
        Framing framing;
        ASSERT_TRUE(parse_head(text, {}, request, framing));
        EXPECT_EQ(framing.keep_alive, row.keep_alive) << text;
    }
}

TEST(RequestHead, SeesAnIdempotencyKeySentTwice) {
    const auto text = with_fields("Host: a\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n");
    Request request;
    Framing framing;
    ASSERT_TRUE(parse_head(text, {}, request, framing));
    EXPECT_EQ(request.idempotency_key_count, 2U);
    EXPECT_EQ(request.idempotency_key, "a");
}

TEST(RequestHead, DecodesThePath) {
    Request request;
    Framing framing;
    const std::string text = "GET /a%62%20c?d%20 HTTP/1.1\r\nHost: a\r\n\r\n";
    ASSERT_TRUE(parse_head(text, {}, request, framing));
    EXPECT_EQ(request.path, "/ab c");
    EXPECT_EQ(request.query, "d%20");
    EXPECT_EQ(request.target, "/a%62%20c?d%20");

    ASSERT_TRUE(parse_head("GET /a%2562 HTTP/1.1\r\nHost: a\r\n\r\n", {}, request, framing));
    EXPECT_EQ(request.path, "/a%62") << "once, not until nothing is left to decode";
}

TEST(Traceparent, IsTakenOnlyWhenValid) {
    const std::string id = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    EXPECT_TRUE(trace_from("00-" + id + "-00"));
    EXPECT_TRUE(trace_from("01-" + id + "-00-more")) << "a later version may be longer";
    EXPECT_FALSE(trace_from("00-" + id + "-00-more"));
    EXPECT_FALSE(trace_from("ff-" + id + "-00"));
    EXPECT_FALSE(trace_from("00-" + id));
    EXPECT_FALSE(trace_from("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"));
    EXPECT_FALSE(trace_from("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
    EXPECT_FALSE(trace_from("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
}

/// Feeds `text` in pieces of `step` bytes, the way a session does, and gives the body or the error.
std::string decoded(std::string_view text, std::size_t step, std::size_t body_size_max = 1000) {
    ChunkedDecoder decoder;
    std::string buffer;
    std::size_t raw = 0;
    std::size_t made = 0;
    for (std::size_t at = 0; at < text.size(); at += step) {
        buffer += text.substr(at, step);
        const auto taken = decoder.take(
            {buffer.data() + raw, buffer.size() - raw}, buffer.data() + made, body_size_max, {}
        );
        if (!taken) return std::string{row(taken.error()).code};
        raw += taken->used;
        made += taken->made;
        if (taken->finished) return buffer.substr(0, made) + "|" + buffer.substr(raw);
    }
    return "incomplete";
}

TEST(ChunkedBody, IsDecodedHoweverItArrives) {
    const std::string_view text =
        "3\r\nabc\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        EXPECT_EQ(decoded(text, step), "abc0123456789|") << step;
    }
    EXPECT_EQ(decoded("0\r\n\r\nGET", 100), "|GET") << "what follows is another message";
}

TEST(ChunkedBody, RefusesBadSizes) {
    const std::pair<std::string_view, std::string_view> rows[] = {
        {"\r\nabc\r\n", "no size"},
        {"x\r\nabc\r\n", "not hex"},
        {"0x3\r\nabc\r\n", "a prefix"},
        {"+3\r\nabc\r\n", "a sign"},
        {" 3\r\nabc\r\n", "a space first"},
        {"3 \r\nabc\r\n", "a space after"},
        {"3\nabc\r\n", "a bare LF"},
        {"3\rabc\r\n", "a bare CR"},
        {"FFFFFFFFFFFFFFFFF\r\n", "overflow"},
        {"3\r\nabcd\r\n", "data longer than its size"},
        {"3\r\nabc\n0\r\n\r\n", "a bare LF after data"},
        {"0\r\nbad trailer\r\n\r\n", "a trailer without colon"},
        {"0\r\n folded\r\n\r\n", "a folded trailer"},
        {"3;\x01\r\nabc\r\n", "a control in an extension"},
        {"3;x=\"y\r\nabc\r\n", "a quote that nothing ends"},
        {"3;x=\"y\\\"\r\nabc\r\n", "nor an escaped one"},
    };
    for (const auto& [text, why] : rows) {
        EXPECT_EQ(decoded(text, 1000), "malformed_request") << why;
        EXPECT_EQ(decoded(text, 1), "malformed_request") << why;
    }
    EXPECT_EQ(decoded("3;" + std::string(300, 'x'), 1000), "malformed_request") << "endless";
}

TEST(ChunkedBody, HasLimits) {
    EXPECT_EQ(decoded("4\r\nabcd\r\n4\r\nabcd\r\n0\r\n\r\n", 1, 8), "abcdabcd|");
    EXPECT_EQ(decoded("4\r\nabcd\r\n5\r\nabcde\r\n0\r\n\r\n", 1, 8), "payload_too_large");
    std::string trailers = "0\r\n";
    for (int i = 0; i < 101; ++i) trailers += "X: a\r\n";
    EXPECT_EQ(decoded(trailers + "\r\n", 1000), "headers_too_large");
    EXPECT_EQ(decoded("0\r\nX: " + std::string(17000, 'a'), 20000), "headers_too_large");
}

}  // namespace
}  // namespace firstcome::http
