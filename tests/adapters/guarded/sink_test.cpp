// tests/adapters/guarded/sink_test.cpp - deliveries that fail open the breaker, refused events do
// not
#include "adapters/guarded/sink.hpp"

#include "tests/adapters/guarded/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace firstcome::test {
namespace {

using ports::Cause;
using resilience::BreakerState;

class TroubledSink final : public ports::EventSink {
public:
    std::string_view consumer() const override { return "webhook"; }

    ports::Delivery deliver(std::span<const domain::Event> events) override {
        ++asked;
        if (!cause) return {.delivered = events.size(), .failure = {}};
        return {.delivered = 1, .failure = ports::DeliveryFailure{.cause = *cause, .error = "no"}};
    }

    int asked = 0;
    std::optional<Cause> cause;
};

class GuardedSink : public testing::Test {
protected:
    BreakerState state() { return breaker_.figures(clock_.monotonic()).state; }

    ManualClock clock_;
    TroubledSink inner_;
    resilience::CircuitBreaker breaker_{"webhook", {}, some_chance()};
    guarded::Sink sink_{inner_, breaker_, clock_};
    std::array<domain::Event, 3> events_;
};

TEST_F(GuardedSink, OpensWhenTheSinkIsGoneOrOverloadedAndNotOnWhatItRefuses) {
    for (const Cause cause : ports::causes) {
        breaker_.reset(clock_.monotonic());
        inner_.cause = cause;
        for (int at = 0; at < 20; ++at) {
            const auto delivery = sink_.deliver(events_);
            EXPECT_EQ(delivery.delivered, 1U) << "told as it was";
            EXPECT_EQ(delivery.failure->cause, cause);
        }
        const bool opens = cause == Cause::unavailable || cause == Cause::overloaded;
        EXPECT_EQ(state() == BreakerState::open, opens) << name(cause);
    }
}

TEST_F(GuardedSink, WhileOpenNothingIsDeliveredAndNoAttemptIsUsedUp) {
    breaker_.turn_to(BreakerState::forced_open, clock_.monotonic());
    const auto delivery = sink_.deliver(events_);
    EXPECT_EQ(inner_.asked, 0);
    EXPECT_EQ(delivery.delivered, 0U);
    ASSERT_TRUE(delivery.failure);
    EXPECT_TRUE(is_transient(delivery.failure->cause)) << name(delivery.failure->cause);
    EXPECT_FALSE(delivery.failure->exact) << "it is about none of the events";
    EXPECT_EQ(delivery.failure->error, "circuit breaker webhook is open");
    breaker_.turn_to(BreakerState::closed, clock_.monotonic());
    EXPECT_EQ(sink_.deliver(events_).delivered, 3U);
    EXPECT_EQ(sink_.consumer(), "webhook");
}

}  // namespace
}  // namespace firstcome::test
