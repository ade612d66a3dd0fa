// tests/cli/bench_histogram_test.cpp - the latency histogram keeps its 1 %
#include "cli/bench_histogram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

namespace firstcome::cli {
namespace {

using std::chrono::nanoseconds;

TEST(Histogram, IsWithinOnePercentFromNanosecondsToMinutes) {
    for (std::int64_t value = 1; value < 600'000'000'000; value = value * 9 / 8 + 1) {
        const auto histogram = std::make_unique<Histogram>();
        histogram->record(nanoseconds{value});
        histogram->record(nanoseconds{value * 2});  // so that the maximum does not stand in
        const auto found = static_cast<double>(histogram->percentile(0.5).count());
        EXPECT_LE(std::abs(found - static_cast<double>(value)), static_cast<double>(value) * 0.01);
    }
}

TEST(Histogram, FindsPercentilesOfAKnownDistribution) {
    Histogram histogram;
    for (int us = 1; us <= 10'000; ++us) histogram.record(std::chrono::microseconds{us});
    EXPECT_NEAR(static_cast<double>(histogram.percentile(0.5).count()), 5'000'000, 50'000);
    EXPECT_NEAR(static_cast<double>(histogram.percentile(0.99).count()), 9'900'000, 99'000);
    EXPECT_NEAR(static_cast<double>(histogram.percentile(1).count()), 10'000'000, 100'000);
    EXPECT_EQ(histogram.max(), nanoseconds{10'000'000});
    EXPECT_EQ(histogram.count(), 10'000U);
}

TEST(Histogram, IsZeroWhenEmpty) {
    const Histogram histogram;
    EXPECT_EQ(histogram.percentile(0.99).count(), 0);
    EXPECT_EQ(histogram.max().count(), 0);
}

TEST(Histogram, KeepsWhatIsTooLongOrNegativeInsideItsBounds) {
    Histogram histogram;
    histogram.record(std::chrono::hours{100});
    histogram.record(nanoseconds{-5});
    EXPECT_EQ(histogram.count(), 2U);
    EXPECT_EQ(histogram.max(), nanoseconds{std::chrono::hours{100}});
    EXPECT_EQ(histogram.percentile(0.1).count(), 0);
}

TEST(Histogram, MergesCountsAndTheMaximum) {
    Histogram one;
    Histogram other;
    one.record(nanoseconds{100});
    other.record(nanoseconds{200});
    other.record(nanoseconds{5'000});
    one.merge(other);
    EXPECT_EQ(one.count(), 3U);
    EXPECT_EQ(one.percentile(0.5), nanoseconds{200});
    EXPECT_EQ(one.max(), nanoseconds{5'000});
}

}  // namespace
}  // namespace firstcome::cli
