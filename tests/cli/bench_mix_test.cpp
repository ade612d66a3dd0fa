// tests/cli/bench_mix_test.cpp - the shares of a mix, and which orders may be repeated
#include "cli/bench_mix.hpp"

#include <gtest/gtest.h>

#include <array>

namespace firstcome::cli {
namespace {

TEST(RecentOrders, ForgetsTheOldestFirst) {
    RecentOrders recent;
    constexpr std::uint64_t first = 1'000;
    constexpr std::uint64_t sent = 70'000;
    for (std::uint64_t serial = first; serial < first + sent; ++serial) recent.sent(serial);
    EXPECT_EQ(recent.find(first), nullptr);
    EXPECT_EQ(recent.find(first + sent), nullptr) << "never sent";
    ASSERT_NE(recent.find(first + sent - 1), nullptr);
    EXPECT_EQ(recent.newest()->serial, first + sent - 1);
    EXPECT_NE(recent.find(first + sent - 60'000), nullptr);
}

TEST(WishSource, SendsOnlyNewOrdersWithoutAMix) {
    WishSource wishes{std::nullopt, 0, 1};
    EXPECT_EQ(wishes.next(100).serial, 0U);
    EXPECT_EQ(wishes.next(100).serial, 100U);
    EXPECT_EQ(wishes.next(1).kind, Kind::fresh);
}

TEST(WishSource, KeepsTheSharesOnceOrdersAreAccepted) {
    const MixShares mix{
        .fresh = 50, .repeated = 20, .reused = 10, .over_limit = 10, .unknown_item = 10};
    WishSource wishes{mix, 0, 1};
    std::array<int, 5> seen{};
    constexpr int draws = 20'000;
    for (int at = 0; at < draws; ++at) {
        const Wish wish = wishes.next(1);
        ++seen[static_cast<std::size_t>(wish.kind)];
        if (wish.kind == Kind::fresh) wishes.recent().find(wish.serial)->accepted = true;
    }
    EXPECT_NEAR(seen[static_cast<std::size_t>(Kind::fresh)], draws * 0.5, draws * 0.02);
    EXPECT_NEAR(seen[static_cast<std::size_t>(Kind::repeated)], draws * 0.2, draws * 0.02);
    EXPECT_NEAR(seen[static_cast<std::size_t>(Kind::reused)], draws * 0.1, draws * 0.02);
    EXPECT_NEAR(seen[static_cast<std::size_t>(Kind::over_limit)], draws * 0.1, draws * 0.02);
    EXPECT_NEAR(seen[static_cast<std::size_t>(Kind::unknown_item)], draws * 0.1, draws * 0.02);
}

TEST(WishSource, NeverSendsAWrongPayloadForAnOrderNotYetAccepted) {
    // Were it first, it would be the order, and the right one would be refused.
    WishSource wishes{MixShares{.fresh = 1, .reused = 1, .over_limit = 1}, 0, 1};
    for (int at = 0; at < 1'000; ++at) EXPECT_EQ(wishes.next(1).kind, Kind::fresh);
}

}  // namespace
}  // namespace firstcome::cli
