// tests/app/limit_sharing_test.cpp - what nodes tell each other, and what happens in silence
#include "app/limit_sharing.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace firstcome::app {
namespace {

using ports::LimitShareError;
using ports::LimitUse;

struct Said {
    std::vector<LimitUse> here;
    std::vector<LimitUse> there;
    bool silent = false;
};

class SaidShare final : public ports::LimitShare {
public:
    explicit SaidShare(Said& said) : said_(said) {}

    std::expected<std::vector<LimitUse>, LimitShareError> exchange(std::span<const LimitUse> used
    ) override {
        if (said_.silent) return std::unexpected(LimitShareError::unavailable);
        said_.here.assign(used.begin(), used.end());
        return std::exchange(said_.there, {});
    }

private:
    Said& said_;
};

struct Node {
    Node() {
        LimitSettings settings;
        settings.limits[static_cast<std::size_t>(LimitPolicy::user)] =
            resilience::RateLimit{.interval = std::chrono::milliseconds{200}, .burst = 10};
        limiter = std::make_unique<RateLimiter>(
            RateLimiter::Options{.memory_max_bytes = 1U << 20U, .shares = true}, settings, hash
        );
        sharing = std::make_unique<LimitSharing>(
            *limiter,
            std::make_unique<SaidShare>(said),
            clock,
            [this](bool now) { heard.push_back(now); }
        );
    }

    int burst() const {
        int allowed = 0;
        while (limiter->admit_user("a", clock.monotonic()).allowed) ++allowed;
        return allowed;
    }

    test::ManualClock clock;
    test::SeededEntropy entropy;
    base::KeyedHash hash{base::KeyedHash::new_secret(entropy)};
    Said said;
    std::vector<bool> heard;
    std::unique_ptr<RateLimiter> limiter;
    std::unique_ptr<LimitSharing> sharing;
};

TEST(LimitSharing, TellsWhatWasUsedAndChargesWhatItHears) {
    Node node;
    EXPECT_EQ(node.burst(), 10);
    EXPECT_TRUE(node.sharing->exchange());
    ASSERT_EQ(node.said.here.size(), 1U);
    EXPECT_EQ(node.said.here.front().count, 9U);
    node.clock.pass(std::chrono::seconds{2});
    node.said.there = {{.key = node.said.here.front().key, .count = 7, .policy = 1}};
    EXPECT_TRUE(node.sharing->exchange());
    EXPECT_EQ(node.burst(), 3) << "seven of ten were used elsewhere";
}

TEST(LimitSharing, InSilenceEachNodeHoldsTheLimitAlone) {
    Node node;
    node.said.silent = true;
    EXPECT_FALSE(node.sharing->exchange());
    EXPECT_FALSE(node.sharing->exchange());
    EXPECT_EQ(node.burst(), 10) << "as if there were no other";
    EXPECT_EQ(name(LimitShareError::unavailable), "unavailable");
    node.said.silent = false;
    EXPECT_TRUE(node.sharing->exchange());
    EXPECT_EQ(node.heard, (std::vector<bool>{false, true})) << "told once each";
}

TEST(LimitSharing, SaysNothingWhileTheLimitsAreOff) {
    Node node;
    node.said.silent = true;
    LimitSettings off;
    off.enabled = false;
    node.limiter->apply(off);
    EXPECT_TRUE(node.sharing->exchange()) << "nobody was asked";
    EXPECT_TRUE(node.heard.empty());
}

}  // namespace
}  // namespace firstcome::app
