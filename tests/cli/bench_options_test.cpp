// tests/cli/bench_options_test.cpp - what the bench verb takes, and what it refuses
#include "cli/bench_options.hpp"

#include <gtest/gtest.h>

namespace firstcome::cli {
namespace {

using namespace std::chrono_literals;

TEST(BenchDuration, IsANumberAndAUnit) {
    EXPECT_EQ(duration_from("250ms"), 250ms);
    EXPECT_EQ(duration_from("10s"), 10s);
    EXPECT_EQ(duration_from("5m"), 5min);
    EXPECT_EQ(duration_from("1h"), 1h);
    for (const char* wrong : {"", "10", "s", "-1s", "0s", "1.5s", "10 s", "99999999999s"}) {
        EXPECT_FALSE(duration_from(wrong)) << wrong;
    }
}

TEST(BenchMix, NamesSharesAndRefusesOthers) {
    const auto mix = mix_from("new=60,repeat=40");
    ASSERT_TRUE(mix);
    EXPECT_EQ(mix->fresh, 60U);
    EXPECT_EQ(mix->repeated, 40U);
    EXPECT_EQ(mix->sum(), 100U);
    EXPECT_TRUE(mix_from(mix_default));
    for (const char* wrong : {"new", "new=", "old=1", "new=-1", "new=1001", "new=1,,"}) {
        EXPECT_FALSE(mix_from(wrong)) << wrong;
    }
}

TEST(BenchOptions, SettleIntoADropOfBuyersAndUnits) {
    const auto options = settled({.drop = true, .buyers = 500, .units = 20});
    ASSERT_TRUE(options);
    EXPECT_EQ(options->requests, 500U);
    EXPECT_EQ(options->stock, 20);
    EXPECT_TRUE(options->ride_out) << "each buyer keeps at it";
}

TEST(BenchOptions, RunTenSecondsOnAFreshItemByDefault) {
    const auto options = settled({});
    ASSERT_TRUE(options);
    EXPECT_EQ(options->duration, 10s);
    EXPECT_GT(options->stock.value_or(0), 1'000'000);
}

TEST(BenchOptions, LeaveAGivenItemAlone) {
    const auto options = settled({.item = "tickets"});
    ASSERT_TRUE(options);
    EXPECT_FALSE(options->stock);
}

TEST(BenchOptions, RefuseWhatCannotWorkTogether) {
    struct Row {
        BenchOptions options;
        const char* why;
    };

    const MixShares mix{.fresh = 1, .repeated = 1};
    const Row rows[] = {
        {{.connections = 0}, "nobody sends"},
        {{.connections = 2, .threads = 3}, "a thread without a connection"},
        {{.threads = 8, .requests = 4}, "a thread without a request would never end"},
        {{.batch = 1'001}, "more than a call may hold"},
        {{.batch = 2, .mix = mix}, "kinds cannot be mixed inside a call"},
        {{.keys = false, .mix = mix}, "repeats need keys"},
        {{.users = 5, .mix = mix}, "limits need users of their own"},
        {{.mix = MixShares{.fresh = 0, .repeated = 1}}, "nothing to repeat"},
        {{.user_limit = 2, .mix = MixShares{.fresh = 1, .over_limit = 1}},
         "a second one is allowed"},
        {{.item = "x", .mix = MixShares{.fresh = 1, .over_limit = 1}}, "no limit can be set"},
        {{.keys = false, .ride_out = true}, "a retry would order twice"},
        {{.rate = 10, .drop = true}, "a rush has no rate"},
        {{.duration = 2s, .warm_up = 2s}, "no latency would count"},
    };
    for (const Row& row : rows) EXPECT_FALSE(settled(row.options)) << row.why;
}

}  // namespace
}  // namespace firstcome::cli
