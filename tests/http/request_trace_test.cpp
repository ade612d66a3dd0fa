// tests/http/request_trace_test.cpp - which spans a request leaves, and what an order carries on
#include "http/request_trace.hpp"

#include "http/io_thread.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/spans.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RequestTraces : public ::testing::Test {
protected:
    RequestTrace make(double ratio, std::uint32_t unsampled_max = 50) {
        return RequestTrace{
            {.slow = 1s,
             .unsampled_per_second_max = unsampled_max,
             .database = "sqlite",
             .operation = "COMMIT"},
            telemetry::Sampler{{.parent_based = true, .ratio = ratio}},
            spans_};
    }

    /// One request from its beginning to its end.
    void answer(
        RequestTrace& trace, unsigned status, std::chrono::nanoseconds took, bool placed = true
    ) {
        exchange_.request.trace = {.trace_high = 1, .trace_low = 2};
        exchange_.request.span = 0;
        exchange_.request.arrived = clock_.monotonic();
        exchange_.request.route = &route_;
        exchange_.request.method = Method::post;
        exchange_.request.target = "/api/v1/orders?x=secret";
        exchange_.request.path_as_sent = "/api/v1/orders";
        exchange_.request.fields = fields_;
        trace.begin(exchange_.request);
        if (placed) {
            exchange_.reply = app::Reply{domain::Outcome{}};
            exchange_.placed = {clock_.monotonic() + 1ms, clock_.monotonic() + 2ms, 7};
        }
        trace.end(exchange_, status, clock_.monotonic() + took);
    }

    test::ManualClock clock_;
    test::KeptSpans spans_;
    Route route_{.method = Method::post, .path = "/api/v1/orders", .handler = {}};
    Exchange exchange_;
    std::string_view fields_ = "Host: shop.example:8080\r\ntracestate: a=1\r\nTraceState: b=2\r\n";
};

TEST_F(RequestTraces, ASampledOrderLeavesOneTree) {
    RequestTrace trace = make(1);
    answer(trace, 202, 3ms);
    EXPECT_THAT(spans_.names(), ElementsAre("POST /api/v1/orders", "order lane", "COMMIT orders"));
    const auto all = spans_.all();
    EXPECT_EQ(all[0].parent, 0U) << "no caller";
    EXPECT_EQ(all[1].parent, all[0].context.span);
    EXPECT_EQ(all[2].parent, all[1].context.span);
    EXPECT_EQ(all[0].end - all[0].start, 3ms);
    EXPECT_EQ(all[1].end - all[1].start, 2ms) << "in the line, and placed";
    EXPECT_EQ(all[2].end - all[2].start, 1ms);
    EXPECT_EQ(test::attribute(all[1], "firstcome.lane.wait_us"), "1000");
    EXPECT_EQ(test::attribute(all[2], "db.operation.batch.size"), "7");
    EXPECT_EQ(test::attribute(all[0], "url.path"), "/api/v1/orders") << "no query";
    EXPECT_EQ(test::attribute(all[0], "server.address"), "shop.example");
    EXPECT_EQ(test::attribute(all[0], "server.port"), "8080");
    EXPECT_EQ(all[0].trace_state, "a=1,b=2");
    EXPECT_EQ(trace_of_order(exchange_.request).span, all[2].context.span)
        << "the order's events hang below its commit";
    EXPECT_EQ(trace_of_batch(exchange_.request).span, all[0].context.span);
}

TEST_F(RequestTraces, SayHowTheServerIsReached) {
    fields_ = "Host: shop.example\r\n";
    for (const bool https : {false, true}) {
        RequestTrace trace{
            {.database = {}, .operation = {}, .https = https},
            telemetry::Sampler{{.parent_based = true, .ratio = 1}},
            spans_};
        answer(trace, 404, 1ms, false);
        const auto span = spans_.all().back();
        EXPECT_EQ(test::attribute(span, "url.scheme"), https ? "https" : "http");
        EXPECT_EQ(test::attribute(span, "server.port"), https ? "443" : "80");
    }
}

TEST_F(RequestTraces, AnUnsampledOneLeavesNothingUnlessItFailedOrWasSlow) {
    RequestTrace trace = make(0);
    answer(trace, 202, 3ms);
    answer(trace, 409, 3ms);
    EXPECT_THAT(spans_.names(), IsEmpty());
    EXPECT_EQ(trace_of_order(exchange_.request).span, 0U) << "its events tell of no span";
    exchange_.placed = {};
    answer(trace, 503, 3ms, false);
    EXPECT_THAT(spans_.names(), ElementsAre("POST /api/v1/orders")) << "it came to no lane";
    EXPECT_TRUE(spans_.all()[0].failed);
    EXPECT_EQ(test::attribute(spans_.all()[0], "error.type"), "503");
    answer(trace, 202, 1s);
    EXPECT_EQ(spans_.names().size(), 4U) << "slow, with its lane and its commit";
    EXPECT_FALSE(spans_.all()[1].failed);
}

TEST_F(RequestTraces, WhenAllFailOnlySoManyASecondAreKept) {
    RequestTrace trace = make(0, 3);
    for (int n = 0; n < 10; ++n) answer(trace, 503, 1ms, false);
    EXPECT_EQ(spans_.names().size(), 3U);
    EXPECT_EQ(spans_.dropped(), 7U) << "counted";
    clock_.pass(1s);
    answer(trace, 503, 1ms, false);
    EXPECT_EQ(spans_.names().size(), 4U);
}

TEST_F(RequestTraces, AFaultOfTheLedgerIsOneOfTheCommit) {
    RequestTrace trace = make(1);
    exchange_.reply = app::Reply{std::unexpected(ports::LedgerError::outcome_unknown)};
    exchange_.placed = {clock_.monotonic(), clock_.monotonic(), 1};
    answer(trace, 504, 3ms, false);
    ASSERT_EQ(spans_.all().size(), 3U);
    EXPECT_TRUE(spans_.all()[2].failed);
    EXPECT_EQ(spans_.all()[2].error, "outcome_unknown");
}

TEST_F(RequestTraces, LogLinesFindTheRequestTheyBelongTo) {
    RequestTrace trace = make(1);
    answer(trace, 202, 1ms);
    exchange_.request.id.assign("mine-1");
    const RequestScope scope{exchange_.request};
    ASSERT_NE(telemetry::current_trace(), nullptr);
    EXPECT_EQ(telemetry::current_trace()->request_id, "mine-1");
    EXPECT_EQ(telemetry::current_trace()->trace_id(), exchange_.request.trace_id());
    EXPECT_EQ(telemetry::current_trace()->trace.span, exchange_.request.span);
}

}  // namespace
}  // namespace firstcome::http
