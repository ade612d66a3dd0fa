// tests/resilience/backoff_test.cpp - rests double up to a cap, and no two are alike
#include "resilience/backoff.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <set>

namespace firstcome::resilience {
namespace {

using namespace std::chrono_literals;
using test::ManualClock;
using test::SeededEntropy;

constexpr BackoffOptions options{.first = 1s, .cap = 5min};

TEST(Backoff, DoublesTheLongestRestUpToTheCap) {
    struct Row {
        unsigned failures;
        std::chrono::milliseconds longest;
        const char* why;
    };

    const Row rows[] = {
        {1, 1s, "the first failure"},
        {2, 2s, "doubled"},
        {5, 16s, "doubled again and again"},
        {9, 256s, "just below the cap"},
        {10, 300s, "the cap"},
        {4'000'000'000, 300s, "failing for years overflows nothing"},
    };
    for (const Row& row : rows)
        EXPECT_EQ(longest_rest(options, row.failures), row.longest) << row.why;
}

TEST(Backoff, DrawsFromTheWholeRange) {
    SeededEntropy entropy;
    std::set<std::int64_t> tenths;
    for (int i = 0; i < 500; ++i) {
        const auto rest = draw_rest(options, 3, entropy);
        ASSERT_GE(rest, 1ms) << "never no rest at all";
        ASSERT_LE(rest, 4s);
        tenths.insert((rest.count() - 1) * 10 / 4000);
    }
    EXPECT_EQ(tenths.size(), 10U) << "also short rests: this is full jitter";
}

TEST(Backoff, LetsNothingThroughUntilTheRestIsOver) {
    SeededEntropy entropy;
    ManualClock clock;
    Backoff backoff{options};
    EXPECT_EQ(backoff.left(clock.monotonic()), 0ms) << "nothing has failed yet";
    const auto rest = backoff.failed(clock.monotonic(), entropy);
    EXPECT_EQ(backoff.left(clock.monotonic()), rest);
    clock.pass(rest - 1ms);
    EXPECT_EQ(backoff.left(clock.monotonic()), 1ms);
    clock.pass(1ms);
    EXPECT_EQ(backoff.left(clock.monotonic()), 0ms);
}

TEST(Backoff, BeginsAnewAfterASuccess) {
    SeededEntropy entropy;
    ManualClock clock;
    Backoff backoff{options};
    std::chrono::milliseconds longest{};
    for (int i = 0; i < 100; ++i) {
        longest = std::max(longest, backoff.failed(clock.monotonic(), entropy));
    }
    EXPECT_GT(longest, 1min);
    EXPECT_LE(longest, 5min);
    backoff.succeeded();
    EXPECT_EQ(backoff.left(clock.monotonic()), 0ms);
    EXPECT_LE(backoff.failed(clock.monotonic(), entropy), 1s);
    EXPECT_EQ(backoff.failures(), 1U);
}

}  // namespace
}  // namespace firstcome::resilience
