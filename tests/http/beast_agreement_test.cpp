// tests/http/beast_agreement_test.cpp - what we accept, Boost.Beast reads the same way
#include "tests/http/beast_agreement.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firstcome::http {
namespace {

using Verdict = Reading::Verdict;

std::string get(std::string_view target, std::string_view fields = "") {
    return "GET " + std::string{target} + " HTTP/1.1\r\nHost: a\r\n" + std::string{fields} + "\r\n";
}

std::string post(std::string_view fields, std::string_view body) {
    return "POST /a HTTP/1.1\r\nHost: a\r\n" + std::string{fields} + "\r\n" + std::string{body};
}

std::string chunked(std::string_view body) {
    return post("Transfer-Encoding: chunked\r\n", body);
}

TEST(BeastAgreement, IsOnMethodTargetBodyAndEnd) {
    struct Row {
        std::string message;
        std::string_view method;
        std::string_view target;
        std::string_view body;
        std::string_view why;
    };

    const Row rows[] = {
        {get("/"), "GET", "/", "", "the smallest request"},
        {"PURGE /a HTTP/1.1\r\nHost: a\r\n\r\n", "PURGE", "/a", "", "a method we do not route"},
        {"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT", "/a", "", "no tunnel by CONNECT"},
        {get("/a%62?q=%zz&#"), "", "", "", "a fragment: refused, so nothing to agree on"},
        {get("/a%62/../c?q=%zz&"), "GET", "/a%62/../c?q=%zz&", "", "the target stays as sent"},
        {get("http://a:80/b?c"), "GET", "http://a:80/b?c", "", "absolute-form"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "", "asterisk-form"},
        {"GET / HTTP/1.0\r\n\r\n", "GET", "/", "", "HTTP/1.0: no body to the end of the stream"},
        {get("/", "Content-Length: 2\r\n") + "hi", "GET", "/", "hi", "a GET may have a body"},
        {post("Content-Length: 0003\r\n", "abc"), "POST", "/a", "abc", "zeros before a length"},
        {post("", ""), "POST", "/a", "", "no length is no body"},
        {post("content-LENGTH:\t3 \r\n", "\r\n\r"), "POST", "/a", "\r\n\r", "any bytes as body"},
        {post("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n", "x"),
         "POST",
         "/a",
         "x",
         "no switch of protocols"},
        {post("Connection: ,, close ,\r\n", ""), "POST", "/a", "", "empty list elements"},
        {post("X: \x80\t\xFF\r\nY:\r\n", ""), "POST", "/a", "", "obs-text, a tab, an empty value"},
        {chunked("3\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n"),
         "POST",
         "/a",
         "abc0123456789",
         "chunks"},
        {chunked("7\r\n\r\n0\r\n\r\n\r\n000\r\n\r\n"),
         "POST",
         "/a",
         "\r\n0\r\n\r\n",
         "chunks within a chunk"},
        {chunked("1;a\r\nx\r\n0;b=\"c\"\r\n\r\n"), "POST", "/a", "x", "extensions"},
        {chunked("1\r\nx\r\n0\r\nExpires: 0\r\n\r\n"), "POST", "/a", "x", "a trailer"},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.why);
        const std::string stream = row.message + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
        const Reading ours = read_as_we_do(stream);
        if (row.method.empty()) {
            EXPECT_EQ(ours.verdict, Verdict::refused);
            continue;
        }
        for (const Reading& reading : {ours, read_as_beast(stream)}) {
            EXPECT_EQ(reading.verdict, Verdict::accepted) << reading.why;
            EXPECT_EQ(reading.method, row.method);
            EXPECT_EQ(reading.target, row.target);
            EXPECT_EQ(reading.body, row.body);
            EXPECT_EQ(reading.end, row.message.size());
        }
        EXPECT_EQ(disagreement(stream), std::nullopt);
    }
}

TEST(BeastAgreement, HasTheseKnownExceptionsAndOnceTakenOutTheyAgree) {
    struct Row {
        std::string message;
        Verdict beasts;
        std::string_view body;
        std::string_view why;
    };

    const Row rows[] = {
        {"\r\n" + get("/"), Verdict::refused, "", "an empty line first is read over"},
        {get("/", "Proxy-Connection: a b\r\n"), Verdict::refused, "", "no list, but not for us"},
        {chunked("1;;\r\nx\r\n0\r\n\r\n"), Verdict::refused, "x", "an extension without name"},
        {chunked("1\r\nx\r\n0\r\nContent-Length: 9\r\n\r\n"),
         Verdict::refused,
         "x",
         "a length as trailer is dropped"},
        {chunked("1\r\nx\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n"),
         Verdict::refused,
         "x",
         "an encoding as trailer is dropped"},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.why);
        const Reading ours = read_as_we_do(row.message);
        EXPECT_EQ(ours.verdict, Verdict::accepted) << ours.why;
        EXPECT_EQ(ours.body, row.body);
        EXPECT_EQ(ours.end, row.message.size());
        EXPECT_EQ(read_as_beast(row.message).verdict, row.beasts);
        EXPECT_EQ(disagreement(row.message), std::nullopt);
    }
}

TEST(BeastAgreement, IsNotNeededWhereWeAreStricter) {
    const std::pair<std::string, std::string_view> rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", "no Host"},
        {get("/", "Host: b\r\n"), "two Hosts"},
        {get("/", "Authorization: a\r\nAuthorization: a\r\n"), "two credentials"},
        {get("/a#b"), "a fragment"},
        {get("/\x80"), "a raw byte in the target"},
        {get("/", "X: a\r\n b\r\n"), "obs-fold"},
        {post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), "two lengths"},
        {post("Content-Length: 1, 1\r\n", "x"), "listed lengths"},
        {post("Transfer-Encoding: gzip\r\n", ""), "an encoding Beast reads as no body"},
        {post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "two encodings"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.0 and chunks"},
        {chunked("0000000001\r\nx\r\n0\r\n\r\n"), "ten digits of a chunk's size"},
        {chunked("1 ;a\r\nx\r\n0\r\n\r\n"), "a space after a chunk's size"},
    };
    for (const auto& [message, why] : rows) {
        EXPECT_EQ(read_as_we_do(message).verdict, Verdict::refused) << why;
        EXPECT_EQ(read_as_beast(message).verdict, Verdict::accepted) << why;
    }
}

}  // namespace
}  // namespace firstcome::http
