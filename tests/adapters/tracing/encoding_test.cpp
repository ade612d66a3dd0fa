// tests/adapters/tracing/encoding_test.cpp - bytes as published; others' decoders:
// tests/e2e/tracing
#include "adapters/tracing/encoding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace firstcome::tracing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Resource shop() {
    return {.attributes = {{"service.name", "shop"}, {"service.version", "1"}}, .version = "1"};
}

ports::Span order() {
    ports::Span span;
    span.context = {
        .trace_high = 0x0af7651916cd43dd,
        .trace_low = 0x8448eb211c80319c,
        .span = 0xb7ad6b7169203331,
        .sampled = true};
    span.name = "POST \"orders\"\\";
    span.kind = ports::SpanKind::server;
    span.start = ports::SpanTime{1'700'000'000'123'456'789ns};
    span.end = span.start + 1ms;
    span.attributes = {{"http.response.status_code", std::int64_t{503}}, {"url.path", "/a"}};
    return span;
}

TEST(EncodeZipkin, WritesASpanAsZipkinsApiHasIt) {
    ports::Span span = order();
    EXPECT_EQ(
        encode_zipkin(shop(), {&span, 1}),
        R"([{"traceId":"0af7651916cd43dd8448eb211c80319c","id":"b7ad6b7169203331","kind":"SERVER",)"
        R"("name":"POST \"orders\"\\","timestamp":1700000000123456,"duration":1000,)"
        R"("localEndpoint":{"serviceName":"shop"},"tags":{"http.response.status_code":"503",)"
        R"("url.path":"/a","service.version":"1","otel.scope.name":"firstcome"}}])"
    );
    span.parent = 1;
    span.end = span.start;
    span.failed = true;
    const std::string text = encode_zipkin(shop(), {&span, 1});
    EXPECT_THAT(text, HasSubstr(R"("parentId":"0000000000000001")"));
    EXPECT_THAT(text, HasSubstr(R"("duration":1,)")) << "0 would mean: not known";
    EXPECT_THAT(text, HasSubstr(R"("error":"true")"));
}

TEST(EncodeZipkin, NamesEachKindZipkinKnows) {
    const std::pair<ports::SpanKind, const char*> rows[] = {
        {ports::SpanKind::server, "SERVER"},
        {ports::SpanKind::client, "CLIENT"},
        {ports::SpanKind::producer, "PRODUCER"},
        {ports::SpanKind::consumer, "CONSUMER"},
    };
    ports::Span span = order();
    for (const auto& [kind, name] : rows) {
        span.kind = kind;
        EXPECT_THAT(encode_zipkin(shop(), {&span, 1}), HasSubstr(name));
    }
    span.kind = ports::SpanKind::internal;
    EXPECT_EQ(encode_zipkin(shop(), {&span, 1}).find("kind"), std::string::npos);
}

// The wire by hand: field 1, length; and within: id 1 (16 bytes), id 2 (8), status 15.
TEST(EncodeOtlp, PutsTheIdsWhereTheyBelong) {
    ports::Span span = order();
    const std::string bytes = encode_otlp(shop(), {&span, 1});
    EXPECT_EQ(bytes[0], '\x0a');
    EXPECT_THAT(
        bytes,
        HasSubstr("\x0a\x10\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"
                  "\x12\x08\xb7\xad\x6b\x71\x69\x20\x33\x31")
    );
    EXPECT_EQ(bytes.find("\x7a\x02\x18\x02"), std::string::npos);
    span.failed = true;
    EXPECT_THAT(encode_otlp(shop(), {&span, 1}), HasSubstr("\x7a\x02\x18\x02")) << "status: error";
}

TEST(RejectedByOtlp, IsReadFromTheAnswer) {
    EXPECT_EQ(rejected_by_otlp(""), 0U) << "all were taken";
    EXPECT_EQ(rejected_by_otlp("\x0a\x02\x08\x03"), 3U) << "partial success";
    EXPECT_EQ(rejected_by_otlp("{}"), 0U) << "no protobuf";
}

TEST(PlainText, KeepsNothingThatCouldBeMeantOtherwise) {
    EXPECT_EQ(ports::plain_text("a\n\xff b\x7f"), "a?? b?");
    EXPECT_EQ(ports::plain_text("abcdef", 3), "abc");
}

TEST(DerivedSpanId, DependsOnBothAndIsNeverZero) {
    EXPECT_NE(ports::derived_span_id(1, 1), ports::derived_span_id(1, 2));
    EXPECT_NE(ports::derived_span_id(1, 1), ports::derived_span_id(2, 1));
    EXPECT_EQ(ports::derived_span_id(7, 2), ports::derived_span_id(7, 2));
    EXPECT_NE(ports::derived_span_id(0, 0), 0U);
}

}  // namespace
}  // namespace firstcome::tracing
