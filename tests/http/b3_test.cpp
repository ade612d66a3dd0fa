// tests/http/b3_test.cpp - the trace of a request, whichever fields name it
#include "http/b3.hpp"

#include "http/request_parser.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace firstcome::http {
namespace {

constexpr const char* low = "\r\nX-B3-TraceId: 48485a3953bb6124\r\nX-B3-SpanId: 05e3ac9a4f6e3b90";

TEST(B3, IsReadInBothOfItsForms) {
    struct Row {
        std::string fields;
        std::uint64_t high;
        std::uint64_t low;
        std::uint64_t span;
        std::optional<bool> sampled;
        const char* why;
    };

    const std::string single = "\r\nb3: 463ac35c9f6413ad48485a3953bb6124-05e3ac9a4f6e3b90";
    const std::uint64_t high_id = 0x463ac35c9f6413ad;
    const std::uint64_t low_id = 0x48485a3953bb6124;
    const std::uint64_t span = 0x05e3ac9a4f6e3b90;
    const std::string w3c =
        "\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    const Row rows[] = {
        {single, high_id, low_id, span, std::nullopt, "undecided"},
        {single + "-1", high_id, low_id, span, true, "sampled"},
        {single + "-0", high_id, low_id, span, false, "not sampled"},
        {single + "-d", high_id, low_id, span, true, "debug"},
        {single + "-1-00f067aa0ba902b7", high_id, low_id, span, true, "with its parent"},
        {"\r\nB3: 48485a3953bb6124-05e3ac9a4f6e3b90-1", 0, low_id, span, true, "64-bit trace"},
        {"\r\nb3: 0", 0, 0, 0, false, "a decision alone"},
        {"\r\nb3: 1", 0, 0, 0, true, "a decision alone"},
        {"\r\nb3: 463ac35c9f6413ad", 0, 0, 0, std::nullopt, "no span"},
        {single + "-x", 0, 0, 0, std::nullopt, "no such decision"},
        {"\r\nb3: 0000000000000000-05e3ac9a4f6e3b90-1", 0, 0, 0, std::nullopt, "no trace"},
        {"\r\nb3: 48485a3953bb612g-05e3ac9a4f6e3b90-1", 0, 0, 0, std::nullopt, "no hex"},
        {low, 0, low_id, span, std::nullopt, "one field each"},
        {std::string(low) + "\r\nX-B3-Sampled: 1", 0, low_id, span, true, "sampled"},
        {std::string(low) + "\r\nX-B3-Sampled: 0", 0, low_id, span, false, "not sampled"},
        {std::string(low) + "\r\nX-B3-Flags: 1", 0, low_id, span, true, "debug"},
        {"\r\nX-B3-Sampled: 0", 0, 0, 0, false, "a decision alone"},
        {"\r\nX-B3-TraceId: 48485a3953bb6124", 0, 0, 0, std::nullopt, "no span"},
        {single + "-0" + std::string(low) + "\r\nX-B3-Sampled: 1",
         high_id,
         low_id,
         span,
         false,
         "the single one wins"},
        {w3c + single + "-1",
         0x0af7651916cd43dd,
         0x8448eb211c80319c,
         0xb7ad6b7169203331,
         false,
         "the standard wins"},
        {"\r\ntraceparent: rubbish" + single + "-1", high_id, low_id, span, true, "unless wrong"},
        {"", 0, 0, 0, std::nullopt, "nothing is said"},
    };
    for (const Row& row : rows) {
        Request request;
        Framing framing;
        const std::string head = "GET / HTTP/1.1\r\nHost: a" + row.fields + "\r\n\r\n";
        ASSERT_TRUE(parse_head(head, Limits{}, request, framing)) << row.why;
        EXPECT_EQ(request.trace.trace_high, row.high) << row.why;
        EXPECT_EQ(request.trace.trace_low, row.low) << row.why;
        EXPECT_EQ(request.trace.span, row.span) << row.why;
        EXPECT_EQ(request.parent_sampled, row.sampled) << row.why;
        EXPECT_EQ(request.trace.sampled, row.sampled.value_or(false)) << row.why;
    }
}

}  // namespace
}  // namespace firstcome::http
