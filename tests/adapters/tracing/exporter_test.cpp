// tests/adapters/tracing/exporter_test.cpp - the exporter against a real HTTP server
#include "adapters/tracing/exporter.hpp"

#include "tests/support/manual.hpp"
#include "tests/support/webhook_receiver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace firstcome::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TraceExporter : public ::testing::Test {
protected:
    void open(std::size_t waiting_max = 8192, std::size_t batch_max = 512) {
        tracing::Collector::Options to;
        to.url = receiver_.url();
        to.content_type = "application/json";
        to.headers = {"x-tenant: a"};
        to.timeout = 5s;
        auto collector = tracing::Collector::open(std::move(to), clock_);
        ASSERT_TRUE(collector) << collector.error();
        tracing::Exporter::Options options;
        options.format = tracing::Exporter::Format::zipkin;
        options.resource.attributes = {{"service.name", "shop"}};
        options.waiting_max = waiting_max;
        options.batch_max = batch_max;
        options.delay = 1ms;
        options.rest = {.first = 1ms, .cap = 2ms};
        exporter_ = std::make_unique<tracing::Exporter>(
            std::move(options), std::move(*collector), clock_, entropy_
        );
    }

    ports::Span span(std::string name) {
        ports::Span made;
        made.context = {.trace_high = 1, .trace_low = 2, .span = exporter_->new_id()};
        made.name = std::move(name);
        return made;
    }

    void record(std::string name) { exporter_->record(span(std::move(name))); }

    /// Sends all that waits.
    tracing::ExportCounts drained() {
        exporter_->drain(clock_.monotonic() + 1h);
        return exporter_->counts();
    }

    ManualClock clock_;
    SeededEntropy entropy_;
    WebhookReceiver receiver_;
    std::unique_ptr<tracing::Exporter> exporter_;
};

TEST_F(TraceExporter, SendsWhatWaitedTogether) {
    open();
    record("one");
    record("two");
    exporter_->start();
    EXPECT_EQ(drained().exported, 2U);
    ASSERT_EQ(receiver_.requests().size(), 1U);
    const ReceivedRequest request = receiver_.requests()[0];
    EXPECT_THAT(request.body, HasSubstr(R"("name":"one")"));
    EXPECT_THAT(request.body, HasSubstr(R"("name":"two")"));
    EXPECT_EQ(request.headers.at("content-type"), "application/json");
    EXPECT_EQ(request.headers.at("x-tenant"), "a");
}

TEST_F(TraceExporter, SendsNoMoreInOneThanABatch) {
    open(8192, 2);
    for (const char* name : {"one", "two", "three"}) record(name);
    exporter_->start();
    EXPECT_EQ(drained().exported, 3U);
    ASSERT_EQ(receiver_.requests().size(), 2U);
    EXPECT_THAT(receiver_.requests()[0].body, Not(HasSubstr("three")));
}

TEST_F(TraceExporter, TriesAgainWhatMayPassAndGivesUpInTheEnd) {
    for (const int status : {429, 502, 503, 504}) receiver_.answer({.status = status});
    open();
    record("one");
    exporter_->start();
    receiver_.wait_for(5);
    EXPECT_EQ(drained().exported, 1U) << "the fifth try";

    for (int n = 0; n < 5; ++n) receiver_.answer({.status = 503});
    open();
    record("two");
    exporter_->start();
    receiver_.wait_for(10);
    EXPECT_EQ(drained().failed, 1U);
    EXPECT_EQ(receiver_.requests().size(), 10U) << "and no sixth";
}

TEST_F(TraceExporter, TakesANoForANo) {
    receiver_.answer({.status = 400});
    open();
    record("one");
    exporter_->start();
    const auto counts = drained();
    EXPECT_EQ(counts.failed, 1U);
    EXPECT_EQ(counts.exported, 0U);
    EXPECT_EQ(receiver_.requests().size(), 1U);
}

TEST_F(TraceExporter, DropsAndCountsWhatIsBeyondItsBound) {
    open(2);
    for (const char* name : {"one", "two", "three", "four"}) record(name);
    EXPECT_EQ(exporter_->counts().dropped, 2U);
    exporter_->start();
    EXPECT_EQ(drained().exported, 2U);
}

TEST_F(TraceExporter, WaitsForNoCollectorBeyondTheDeadline) {
    receiver_.answer({.kind = WebhookAnswer::Kind::silence});
    open();
    record("one");
    exporter_->start();
    receiver_.wait_for(1);
    exporter_->drain(clock_.monotonic());
    EXPECT_EQ(exporter_->counts().failed, 1U);
}

TEST_F(TraceExporter, FollowsAWallClockThatIsSet) {
    open();
    const auto now = clock_.monotonic();
    EXPECT_EQ(exporter_->at(now), ports::SpanTime{clock_.wall()});
    clock_.step_wall(1h);
    record("one");
    exporter_->start();
    EXPECT_EQ(drained().exported, 1U);
    EXPECT_EQ(exporter_->at(now), ports::SpanTime{clock_.wall()});
}

TEST_F(TraceExporter, IdsAreNeverTheSame) {
    open();
    EXPECT_NE(exporter_->new_id(), exporter_->new_id());
    EXPECT_NE(exporter_->new_id(), 0U);
}

}  // namespace
}  // namespace firstcome::test
