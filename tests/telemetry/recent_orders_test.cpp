// tests/telemetry/recent_orders_test.cpp - rates and latencies, with time as an argument
#include "telemetry/recent_orders.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr base::MonotonicTime start{1000s};

RecentFigures figures_of(const RecentOrders& orders, base::MonotonicTime now) {
    const RecentOrders* lanes[] = {&orders};
    return RecentOrders::figures(lanes, now);
}

class RecentOrdersTest : public testing::Test {
protected:
    // On the heap: a hundred kilobytes.
    std::unique_ptr<RecentOrders> orders_ = std::make_unique<RecentOrders>();
};

TEST_F(RecentOrdersTest, KnowNothingBeforeTheFirst) {
    const auto figures = figures_of(*orders_, start);
    EXPECT_EQ(figures.accepted_per_second_1s, 0);
    EXPECT_EQ(figures.accepted_per_second_10s, 0);
    EXPECT_FALSE(figures.p50);
    EXPECT_FALSE(figures.p99);
}

TEST_F(RecentOrdersTest, CountOverOneAndTenSeconds) {
    orders_->add(start, 300, 1ms);

    const struct {
        nanoseconds after;
        double rate_1s;
        double rate_10s;
        std::string_view why;
    } rows[] = {
        {0ms, 0, 0, "a tenth of a second counts when it is over"},
        {99ms, 0, 0, "not yet over"},
        {100ms, 300, 30, "over"},
        {1000ms, 300, 30, "the last tenth of the second"},
        {1100ms, 0, 30, "more than a second ago"},
        {10'000ms, 0, 30, "the last tenth of ten seconds"},
        {10'100ms, 0, 0, "more than ten seconds ago"},
        {12'800ms, 0, 0, "one turn of the ring later"},
    };

    for (const auto& row : rows) {
        const auto figures = figures_of(*orders_, start + row.after);
        EXPECT_EQ(figures.accepted_per_second_1s, row.rate_1s) << row.why;
        EXPECT_EQ(figures.accepted_per_second_10s, row.rate_10s) << row.why;
    }
}

TEST_F(RecentOrdersTest, ForgetWhatASlotHeldATurnAgo) {
    orders_->add(start, 300, 1s);
    orders_->add(start + 12'800ms, 7, 1ms);
    const auto figures = figures_of(*orders_, start + 12'900ms);
    EXPECT_EQ(figures.accepted_per_second_1s, 7);
    EXPECT_LT(*figures.p99, 2ms);
}

TEST_F(RecentOrdersTest, TellLatenciesWithinAnEighth) {
    for (const nanoseconds latency :
         {nanoseconds{1us},
          nanoseconds{1999ns},
          nanoseconds{2us},
          nanoseconds{777us},
          nanoseconds{1ms},
          nanoseconds{2345us},
          nanoseconds{1s},
          nanoseconds{60s}}) {
        RecentOrders& orders = *(orders_ = std::make_unique<RecentOrders>());
        orders.add(start, 1, latency);
        const auto p50 = figures_of(orders, start + 100ms).p50;
        ASSERT_TRUE(p50);
        EXPECT_GE(*p50, latency) << latency.count();
        EXPECT_LE(p50->count(), latency.count() * 9 / 8 + 1) << latency.count();
    }
}

TEST_F(RecentOrdersTest, SurviveLatenciesOutOfRange) {
    orders_->add(start, 1, -5s);
    orders_->add(start, 1, nanoseconds::max());
    const auto figures = figures_of(*orders_, start + 100ms);
    EXPECT_LE(*figures.p50, 2us);
    EXPECT_GE(*figures.p99, 60s);
}

TEST_F(RecentOrdersTest, WeighEachOrderNotEachBatch) {
    orders_->add(start, 99, 1ms);
    orders_->add(start, 1, 1s);
    auto figures = figures_of(*orders_, start + 100ms);
    EXPECT_LT(*figures.p50, 2ms);
    EXPECT_LT(*figures.p99, 2ms) << "99 of 100";
    orders_->add(start, 1, 1s);
    figures = figures_of(*orders_, start + 100ms);
    EXPECT_LT(*figures.p50, 2ms);
    EXPECT_GE(*figures.p99, 1s) << "99 of 101 are not 99 %";
}

TEST_F(RecentOrdersTest, SumLanes) {
    const auto other = std::make_unique<RecentOrders>();
    orders_->add(start, 3, 1ms);
    other->add(start, 4, 1ms);
    const RecentOrders* lanes[] = {orders_.get(), other.get()};
    EXPECT_EQ(RecentOrders::figures(lanes, start + 100ms).accepted_per_second_1s, 7);
}

TEST_F(RecentOrdersTest, CanBeReadWhileTheLaneWrites) {
    // Each tenth gets exactly ten orders, so no honest reading is above 100 a second.
    std::thread lane{[&] {
        for (int tick = 0; tick < 5000; ++tick) {
            for (int at = 0; at < 10; ++at) orders_->add(start + tick * 100ms, 1, 1ms);
        }
    }};
    for (int tick = 0; tick < 5000; tick += 5) {
        const auto figures = figures_of(*orders_, start + tick * 100ms);
        EXPECT_LE(figures.accepted_per_second_1s, 100);
    }
    lane.join();
}

}  // namespace
}  // namespace firstcome::telemetry
