// tests/adapters/tracing/sink_test.cpp - each delivery of a sampled order's events is a span
#include "adapters/tracing/sink.hpp"

#include "tests/support/events.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/spans.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace firstcome::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LastSink final : public ports::EventSink {
public:
    std::string_view consumer() const override { return "webhook"; }

    ports::Delivery deliver(std::span<const domain::Event> events) override {
        calls.push_back(events.size());
        for (const domain::Event& event : events) traces.push_back(event.trace);
        if (!refuses) return {.delivered = events.size(), .failure = {}};
        return {
            .delivered = 0,
            .failure =
                ports::DeliveryFailure{.cause = ports::Cause::overloaded, .error = "HTTP 503"}};
    }

    bool refuses = false;
    std::vector<std::size_t> calls;
    std::vector<domain::TraceContext> traces;  // as it was told them
};

class TracingSink : public ::testing::Test {
protected:
    domain::Event event(bool sampled) {
        domain::Event made = maker_.accepted({}, clock_.wall());
        made.trace = {.trace_high = 1, .trace_low = 2, .span = 3, .sampled = sampled};
        return made;
    }

    ManualClock clock_;
    KeptSpans spans_;
    LastSink inner_;
    EventMaker maker_;
    tracing::Sink whole_{inner_, {.database = "postgresql"}, &spans_, clock_};
    tracing::Sink single_{inner_, {.one_by_one = true}, &spans_, clock_};
};

TEST_F(TracingSink, HangsTheAttemptBelowTheWaitAndTheWaitBelowTheOrder) {
    const std::vector<domain::Event> events{event(true)};
    clock_.pass(5ms);
    EXPECT_EQ(single_.deliver(events).delivered, 1U);
    ASSERT_THAT(spans_.names(), ElementsAre("outbox webhook", "relay webhook"));
    const auto all = spans_.all();
    EXPECT_EQ(all[0].parent, 3U);
    EXPECT_EQ(all[1].parent, all[0].context.span);
    EXPECT_EQ(inner_.traces[0].span, all[1].context.span) << "what the sink does hangs below";
    EXPECT_EQ(inner_.traces[0].trace_low, 2U);
    EXPECT_EQ(all[0].start, ports::SpanTime{events[0].occurred_at});
    EXPECT_EQ(attribute(all[1], "messaging.message.id"), events[0].id.text());
}

TEST_F(TracingSink, ARepeatedAttemptIsAnotherSpanBelowTheSameWait) {
    const std::vector<domain::Event> events{event(true)};
    inner_.refuses = true;
    EXPECT_EQ(single_.deliver(events).failure->cause, ports::Cause::overloaded);
    inner_.refuses = false;
    EXPECT_EQ(single_.deliver(events).delivered, 1U);
    EXPECT_EQ(single_.deliver(events).delivered, 1U) << "told again after a crash, say";
    EXPECT_THAT(
        spans_.names(),
        ElementsAre(
            "outbox webhook", "relay webhook", "relay webhook", "outbox webhook", "relay webhook"
        )
    ) << "the wait is there from the first attempt on";
    const auto all = spans_.all();
    EXPECT_TRUE(all[1].failed);
    EXPECT_EQ(all[1].error, "HTTP 503");
    EXPECT_EQ(attribute(all[1], "error.type"), "overloaded");
    EXPECT_EQ(all[1].parent, all[0].context.span);
    EXPECT_EQ(all[2].parent, all[0].context.span);
    EXPECT_NE(all[1].context.span, all[2].context.span);
}

TEST_F(TracingSink, ARetryElsewhereHangsBelowTheWaitThatIsThereAlready) {
    const std::vector<domain::Event> events{event(true)};
    inner_.refuses = true;
    EXPECT_TRUE(single_.deliver(events).failure);
    inner_.refuses = false;
    tracing::Sink desk{inner_, {.one_by_one = true, .tried_before = true}, &spans_, clock_};
    EXPECT_EQ(desk.deliver(events).delivered, 1U);
    EXPECT_THAT(spans_.names(), ElementsAre("outbox webhook", "relay webhook", "relay webhook"));
    EXPECT_EQ(spans_.all()[2].parent, spans_.all()[0].context.span);
}

TEST_F(TracingSink, KeepsAFailedAttemptOfATraceThatIsNotSampled) {
    const std::vector<domain::Event> events{event(false)};
    inner_.refuses = true;
    EXPECT_TRUE(single_.deliver(events).failure);
    EXPECT_THAT(spans_.names(), ElementsAre("outbox webhook", "relay webhook"));
    const auto all = spans_.all();
    EXPECT_EQ(all[0].parent, 3U);
    EXPECT_EQ(all[1].parent, all[0].context.span);
    EXPECT_TRUE(all[1].failed);
    EXPECT_EQ(inner_.traces[0].span, 3U) << "the receiver is told what the caller said";
    EXPECT_FALSE(inner_.traces[0].sampled);

    domain::Event unknown = event(false);
    unknown.trace = {};
    EXPECT_TRUE(single_.deliver({&unknown, 1}).failure);
    EXPECT_EQ(spans_.all().size(), 2U) << "there is no trace to hang it in";
}

TEST_F(TracingSink, FailuresOfTracesThatAreNotSampledAreNoLoadOfTheirOwn) {
    const auto kept = std::size_t{telemetry::UnsampledBudget::per_second_default};
    std::vector<domain::Event> events;
    for (std::size_t at = 0; at < kept + 20; ++at) events.push_back(event(false));
    inner_.refuses = true;
    EXPECT_TRUE(whole_.deliver(events).failure);
    EXPECT_EQ(spans_.all().size(), 2 * kept);
    EXPECT_EQ(spans_.dropped(), 20U);
    clock_.pass(1s);
    EXPECT_TRUE(whole_.deliver(events).failure);
    EXPECT_EQ(spans_.dropped(), 40U) << "each second anew";
}

TEST_F(TracingSink, PassesOnWhatIsNotTracedAsItIs) {
    const std::vector<domain::Event> events{event(false), event(false)};
    EXPECT_EQ(single_.deliver(events).delivered, 2U);
    EXPECT_EQ(whole_.deliver(events).delivered, 2U);
    EXPECT_THAT(inner_.calls, ElementsAre(1U, 1U, 2U));
    EXPECT_EQ(inner_.traces[0].span, 3U);
    EXPECT_THAT(spans_.names(), IsEmpty());

    tracing::Sink off{inner_, {}, nullptr, clock_};
    EXPECT_EQ(off.deliver(std::vector<domain::Event>{event(true)}).delivered, 1U);
    EXPECT_EQ(inner_.traces.back().span, 3U);
}

TEST_F(TracingSink, KeepsABatchThatIsStoredAsOne) {
    const std::vector<domain::Event> events{event(true), event(false), event(true)};
    EXPECT_EQ(whole_.deliver(events).delivered, 3U);
    EXPECT_THAT(inner_.calls, ElementsAre(3U));
    ASSERT_EQ(spans_.all().size(), 4U);
    EXPECT_EQ(attribute(spans_.all()[1], "db.system.name"), "postgresql");
    EXPECT_EQ(attribute(spans_.all()[1], "messaging.batch.message_count"), "3");
    EXPECT_EQ(inner_.traces[1].span, 3U) << "the one that is not sampled";

    inner_.refuses = true;
    EXPECT_EQ(whole_.deliver(events).delivered, 0U);
    // Two of them wait anew, since they were delivered before, and all three were tried.
    EXPECT_EQ(spans_.all().size(), 4U + 3U * 2U);
}

TEST_F(TracingSink, OneByOneStopsAtTheFirstNo) {
    const std::vector<domain::Event> events{event(true), event(true)};
    inner_.refuses = true;
    EXPECT_EQ(single_.deliver(events).delivered, 0U);
    EXPECT_THAT(inner_.calls, ElementsAre(1U));
    EXPECT_THAT(spans_.names(), ElementsAre("outbox webhook", "relay webhook"));
}

}  // namespace
}  // namespace firstcome::test
