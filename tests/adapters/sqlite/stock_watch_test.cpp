// tests/adapters/sqlite/stock_watch_test.cpp - low once per crossing, totals of the moment
#include "adapters/sqlite/stock_watch.hpp"

#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

namespace firstcome::test {
namespace {

using sqlite::StockTotals;
using sqlite::StockWatch;

TEST(StockWatch, SaysLowOncePerCrossing) {
    struct Row {
        domain::Units quantity;
        domain::Units total;
        domain::Units remaining;
        bool low;
        bool sold_out;
        const char* why;
    };

    const Row rows[] = {
        {80, 100, 20, false, false, "above ten percent"},
        {9, 100, 11, false, false, "just above"},
        {1, 100, 10, true, false, "at the threshold"},
        {1, 100, 9, false, false, "said already"},
        {9, 100, 0, false, true, "nothing left"},
        {5, 200, 95, false, false, "filled up"},
        {75, 200, 20, true, false, "low again"},
        {1, 180, 0, false, true, "lowered to one unit"},
    };
    StockWatch watch;
    for (const Row& row : rows) {
        const auto mark = sqlite::take(watch, row.quantity, row.total, 10);
        EXPECT_EQ(mark.remaining, row.remaining) << row.why;
        EXPECT_EQ(mark.became_low, row.low) << row.why;
        EXPECT_EQ(mark.sold_out, row.sold_out) << row.why;
    }
}

TEST(StockWatch, SaysBothOfAnItemThatGoesAtOnce) {
    StockWatch watch;
    const auto mark = sqlite::take(watch, 1, 1, 10);
    EXPECT_TRUE(mark.became_low);
    EXPECT_TRUE(mark.sold_out);
}

TEST(StockWatch, NeverCountsBelowNothing) {
    StockWatch watch{.taken = 5};
    EXPECT_EQ(sqlite::take(watch, 2, 6, 10).remaining, 0) << "a release was not seen yet";
    EXPECT_EQ(watch.taken, 7);
}

TEST(StockTotals, AreThoseOfTheOrdersMoment) {
    StockTotals totals;
    totals.change(item("shoe"), 0, 10);
    totals.change(item("shoe"), 0, 20);
    totals.change(item("shoe"), 3, 50);

    struct Row {
        domain::Sequence sequence;
        domain::Units total;
    };

    for (const Row& row : {Row{1, 20}, Row{3, 20}, Row{4, 50}, Row{9, 50}}) {
        EXPECT_EQ(totals.at(item("shoe"), row.sequence), row.total) << row.sequence;
    }
    EXPECT_EQ(totals.now(item("shoe")), 50);
    EXPECT_EQ(totals.at(item("hat"), 1), 0);
    EXPECT_EQ(totals.now(item("hat")), 0);
}

}  // namespace
}  // namespace firstcome::test
