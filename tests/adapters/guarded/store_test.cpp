// tests/adapters/guarded/store_test.cpp - reads that fail open the breaker, and wait behind it
#include "adapters/guarded/store.hpp"

#include "tests/adapters/guarded/world.hpp"

#include <gtest/gtest.h>

namespace firstcome::test {
namespace {

using ports::StoreError;
using resilience::BreakerState;

class TroubledStore final : public ports::OrderStore {
public:
    struct Trouble {
        std::optional<StoreError> error;
        std::chrono::milliseconds takes{0};
        int asked = 0;
    };

    TroubledStore(Trouble& trouble, ManualClock& clock) : trouble_(trouble), clock_(clock) {}

    std::expected<std::optional<domain::Order>, StoreError> find(domain::OrderId) override {
        ++trouble_.asked;
        clock_.pass(trouble_.takes);
        if (trouble_.error) return std::unexpected(*trouble_.error);
        return std::nullopt;
    }

    std::expected<ports::OrderPage, StoreError> list(const ports::OrderQuery&) override {
        ++trouble_.asked;
        clock_.pass(trouble_.takes);
        if (trouble_.error) return std::unexpected(*trouble_.error);
        return ports::OrderPage{};
    }

private:
    Trouble& trouble_;
    ManualClock& clock_;
};

class GuardedStore : public testing::Test {
protected:
    BreakerState state() { return breaker_.figures(clock_.monotonic()).state; }

    ManualClock clock_;
    TroubledStore::Trouble trouble_;
    resilience::CircuitBreaker breaker_{
        "postgres", {.slow_call_duration_threshold = 500ms}, some_chance()};
    guarded::Store store_{std::make_unique<TroubledStore>(trouble_, clock_), breaker_, clock_};
};

TEST_F(GuardedStore, OpensWhenTheStoreIsGoneAndNotWhenARowIsBroken) {
    trouble_.error = StoreError::corrupt;
    for (int at = 0; at < 30; ++at) EXPECT_EQ(store_.find({}).error(), StoreError::corrupt);
    EXPECT_EQ(state(), BreakerState::closed) << "it was read";
    breaker_.reset(clock_.monotonic());
    trouble_.error = StoreError::unavailable;
    for (int at = 0; at < 10; ++at) {
        EXPECT_EQ(store_.find({}).error(), StoreError::unavailable);
        EXPECT_EQ(store_.list({}).error(), StoreError::unavailable);
    }
    EXPECT_EQ(state(), BreakerState::open) << "both kinds of reads count";
}

TEST_F(GuardedStore, AnswersAtOnceWhileOpen) {
    breaker_.turn_to(BreakerState::open, clock_.monotonic());
    EXPECT_EQ(store_.find({}).error(), StoreError::unavailable);
    EXPECT_EQ(store_.list({}).error(), StoreError::unavailable);
    EXPECT_EQ(trouble_.asked, 0);
    clock_.pass(2400ms);
    EXPECT_TRUE(store_.find({}).has_value()) << "and asks again by itself";
}

TEST_F(GuardedStore, SlowReadsOpenItToo) {
    trouble_.takes = 500ms;
    for (int at = 0; at < 20; ++at) EXPECT_TRUE(store_.list({}).has_value());
    EXPECT_EQ(state(), BreakerState::closed) << "as long as the threshold is not slow";
    trouble_.takes = 501ms;
    for (int at = 0; at < 20; ++at) EXPECT_TRUE(store_.list({}).has_value());
    EXPECT_EQ(state(), BreakerState::open);
}

}  // namespace
}  // namespace firstcome::test
