// tests/resilience/gcra_test.cpp - never more than the burst and the rate, and never less
#include "resilience/gcra.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace firstcome::resilience {
namespace {

using namespace std::chrono_literals;
using base::MonotonicTime;
using std::chrono::nanoseconds;

constexpr MonotonicTime start{100h};
constexpr RateLimit five_a_second{.interval = 200ms, .burst = 10};

/// A key that keeps its time, as a caller would.
struct Key {
    GcraAnswer ask(MonotonicTime now, const RateLimit& limit = five_a_second) {
        const GcraAnswer answer = check(tat, now, limit);
        tat = answer.tat;
        return answer;
    }

    MonotonicTime tat{};
};

TEST(Gcra, TheBurstAtOnceAndThenOneEachInterval) {
    Key key;
    for (std::uint32_t left = 10; left-- > 0;) {
        const GcraAnswer answer = key.ask(start);
        EXPECT_TRUE(answer.allowed);
        EXPECT_EQ(answer.remaining, left);
    }
    const GcraAnswer refused = key.ask(start);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.remaining, 0U);
    EXPECT_EQ(refused.retry_after, 200ms);
    EXPECT_EQ(refused.reset, 2s);
    EXPECT_FALSE(key.ask(start + 200ms - 1ns).allowed);
    EXPECT_TRUE(key.ask(start + 200ms).allowed);
    EXPECT_FALSE(key.ask(start + 200ms).allowed) << "one, not two";
    EXPECT_EQ(key.ask(start + 10s).remaining, 9U) << "rested: the whole burst again";
}

TEST(Gcra, ARefusalCostsNothing) {
    Key key;
    for (int at = 0; at < 10; ++at) EXPECT_TRUE(key.ask(start).allowed);
    for (int at = 0; at < 1000; ++at) EXPECT_FALSE(key.ask(start + 199ms).allowed);
    EXPECT_TRUE(key.ask(start + 200ms).allowed);
}

TEST(Gcra, RoundsARateThatIsNoWholeNumberDown) {
    const RateLimit third = RateLimit::per(1s, 3, 1);
    EXPECT_EQ(third.interval, 333'333'334ns);
    EXPECT_EQ(RateLimit::per(1s, 100, 200), (RateLimit{.interval = 10ms, .burst = 200}));
    EXPECT_EQ(RateLimit::per(1s, 2'000'000'000, 1).interval, 1ns);
}

TEST(Gcra, KeepsCountOverYears) {
    const RateLimit tight{.interval = 1h, .burst = 1'000'000};
    Key key;
    for (int at = 0; at < 1'000'000; ++at) EXPECT_TRUE(key.ask(start, tight).allowed);
    EXPECT_EQ(key.ask(start, tight).retry_after, 1h);
    EXPECT_EQ(key.ask(start, tight).reset, 1'000'000h) << "114 years, without an overflow";
}

/// Whether one more at `now` keeps every span within burst + t / interval.
bool fits(const std::vector<MonotonicTime>& allowed, MonotonicTime now, const RateLimit& limit) {
    for (std::size_t from = 0; from < allowed.size(); ++from) {
        const auto in_span = static_cast<std::int64_t>(allowed.size() - from + 1);
        const auto may = limit.burst + (now - allowed[from]) / limit.interval;
        if (in_span > may) return false;
    }
    return true;
}

TEST(Gcra, AllowsExactlyWhatFitsEverySpanOfTime) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        test::SeededEntropy chance{seed};
        const RateLimit limit{
            .interval = nanoseconds{1 + chance.next() % 1'000'000},
            .burst = 1 + static_cast<std::uint32_t>(chance.next() % 12)};
        const auto step_max = static_cast<std::uint64_t>(limit.interval.count()) * 3;
        std::vector<MonotonicTime> allowed;
        MonotonicTime now = start;
        Key key;
        for (int event = 0; event < 400; ++event) {
            if (chance.next() % 3 != 0) now += nanoseconds{chance.next() % step_max};
            const bool expected = fits(allowed, now, limit);
            const GcraAnswer answer = key.ask(now, limit);
            ASSERT_EQ(answer.allowed, expected) << "seed " << seed << ", event " << event;
            if (answer.allowed) allowed.push_back(now);
        }
        EXPECT_GT(allowed.size(), 12U);
    }
}

TEST(Gcra, TellsWhenOneMoreWillBeAllowedAndWhenAllWill) {
    test::SeededEntropy chance{3};
    Key key;
    MonotonicTime now = start;
    int refusals = 0;
    for (int event = 0; event < 2000; ++event) {
        now += nanoseconds{chance.next() % 300'000'000};
        const GcraAnswer answer = key.ask(now);
        const auto full = now + answer.reset;
        EXPECT_EQ(check(answer.tat, full, five_a_second).remaining, 9U);
        if (answer.allowed) continue;
        ++refusals;
        const auto again = now + answer.retry_after;
        EXPECT_TRUE(check(answer.tat, again, five_a_second).allowed);
        EXPECT_FALSE(check(answer.tat, again - 1ns, five_a_second).allowed);
    }
    EXPECT_GT(refusals, 10);
}

}  // namespace
}  // namespace firstcome::resilience
