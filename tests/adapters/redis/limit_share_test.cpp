// tests/adapters/redis/limit_share_test.cpp - nodes that tell each other through a real Redis
#include "adapters/redis/limit_share.hpp"

#include "tests/support/manual.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace firstcome::redis {
namespace {

using ports::LimitShareError;
using ports::LimitUse;

class LimitShareTest : public testing::Test {
protected:
    std::unique_ptr<LimitShare> node() {
        ConnectionOptions options;
        options.url = *parse_url(server_.url());
        return std::make_unique<LimitShare>(std::move(options), clock_, entropy_);
    }

    test::RedisServer server_;
    base::SystemClock clock_;
    test::SeededEntropy entropy_;
};

using Uses = std::vector<LimitUse>;

const Uses none;
const Uses some{
    {.key = 0xFEDCBA9876543210U, .count = 7, .policy = 0},
    {.key = 1, .count = 0xFFFFFFFFU, .policy = 4},
};

TEST_F(LimitShareTest, TellsEachNodeWhatTheOthersSawAndNotWhatItSawItself) {
    const auto first = node();
    const auto second = node();
    const auto third = node();
    for (const auto& each : {first.get(), second.get(), third.get()}) {
        EXPECT_EQ(each->exchange(none), none) << "nothing was told yet";
    }
    EXPECT_EQ(first->exchange(some), none);
    EXPECT_EQ(second->exchange({{{.key = 5, .count = 1, .policy = 1}}}), some);
    const Uses both{some[0], some[1], {.key = 5, .count = 1, .policy = 1}};
    EXPECT_EQ(third->exchange(none), both);
    EXPECT_EQ(third->exchange(none), none) << "told once";
    EXPECT_EQ(first->exchange(none), (Uses{both[2]}));
}

TEST_F(LimitShareTest, HearsOnlyWhatIsToldFromNowOn) {
    const auto first = node();
    EXPECT_TRUE(first->exchange(none));
    EXPECT_TRUE(first->exchange(some));
    const auto late = node();
    EXPECT_EQ(late->exchange(none), none);
    EXPECT_EQ(late->exchange(none), none) << "old uses are paid back already";
    EXPECT_TRUE(first->exchange(some));
    EXPECT_EQ(late->exchange(none), some);
}

TEST_F(LimitShareTest, GoesOnAfterASilence) {
    const auto first = node();
    const auto second = node();
    EXPECT_TRUE(first->exchange(none) && second->exchange(none));
    EXPECT_TRUE(second->exchange(some));
    server_.kill();
    EXPECT_EQ(first->exchange(some), std::unexpected(LimitShareError::unavailable));
    server_.start();
    EXPECT_EQ(first->exchange(none), none) << "what was told before is old now";
    EXPECT_TRUE(second->exchange(none) || second->exchange(none));
    EXPECT_TRUE(second->exchange(some));
    EXPECT_EQ(first->exchange(none), some);
}

TEST_F(LimitShareTest, LeavesLittleAndNotForLong) {
    const auto first = node();
    for (int at = 0; at < 1000; ++at) ASSERT_TRUE(first->exchange(some));
    EXPECT_LT(std::stoi(server_.cli({"XLEN", "fc:{limits}:uses"})), 600);
    const int left = std::stoi(server_.cli({"PTTL", "fc:{limits}:uses"}));
    EXPECT_GT(left, 0);
    EXPECT_LE(left, 60'000);
}

TEST_F(LimitShareTest, PassesOverWhatItDoesNotUnderstand) {
    const auto first = node();
    EXPECT_TRUE(first->exchange(none));
    server_.cli({"XADD", "fc:{limits}:uses", "*", "something", "else"});
    server_.cli({"XADD", "fc:{limits}:uses", "*", "n", "12345678", "u", "short"});
    EXPECT_EQ(first->exchange(none), none);
    server_.cli({"DEL", "fc:{limits}:uses"});
    server_.cli({"SET", "fc:{limits}:uses", "no stream"});
    EXPECT_EQ(first->exchange(none), std::unexpected(LimitShareError::unavailable));
}

}  // namespace
}  // namespace firstcome::redis
