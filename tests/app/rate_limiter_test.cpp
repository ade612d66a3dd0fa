// tests/app/rate_limiter_test.cpp - which policy holds whom, and what a reload keeps
#include "app/rate_limiter.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::app {
namespace {

using namespace std::chrono_literals;
using resilience::RateLimit;

constexpr base::MonotonicTime start{100h};

struct Limits {
    Limits() {
        settings.limits[static_cast<std::size_t>(LimitPolicy::ip)] =
            RateLimit{.interval = 10ms, .burst = 20};
        settings.limits[static_cast<std::size_t>(LimitPolicy::user)] =
            RateLimit{.interval = 200ms, .burst = 10};
    }

    RateLimiter& limiter() {
        if (!made) {
            made.emplace(
                RateLimiter::Options{.memory_max_bytes = 1U << 20U, .shares = true}, settings, hash
            );
        }
        return *made;
    }

    LimitVerdict ask(
        std::string_view address,
        RouteClass route = RouteClass::orders,
        base::MonotonicTime now = start
    ) {
        return limiter().admit_address(*base::ip_address_from(address), route, now);
    }

    /// How often it may ask at once.
    int burst_of(std::string_view address, RouteClass route = RouteClass::orders) {
        int allowed = 0;
        while (allowed < 1000 && ask(address, route).allowed) ++allowed;
        return allowed;
    }

    std::uint64_t count(LimitPolicy policy, LimitDecision decision) {
        for (const LimitRow& row : limiter().rows()) {
            if (row.policy == name(policy) && row.decision == name(decision)) return row.count;
        }
        return 0;
    }

    LimitSettings settings;
    test::SeededEntropy entropy;
    base::KeyedHash hash{base::KeyedHash::new_secret(entropy)};
    std::optional<RateLimiter> made;
};

TEST(RateLimiter, HoldsEachAddressAlone) {
    Limits limits;
    EXPECT_EQ(limits.burst_of("198.51.100.7"), 20);
    EXPECT_EQ(limits.burst_of("198.51.100.8"), 20);
    EXPECT_TRUE(limits.ask("198.51.100.7", RouteClass::orders, start + 10ms).allowed);
}

TEST(RateLimiter, HoldsAnIpv6SubscriberAsOne) {
    Limits limits;
    EXPECT_EQ(limits.burst_of("2001:db8:1:2::1"), 20);
    EXPECT_EQ(limits.burst_of("2001:db8:1:2:ffff::9"), 0) << "the same /64";
    EXPECT_EQ(limits.burst_of("2001:db8:1:3::1"), 20) << "the next one";
    EXPECT_EQ(limits.burst_of("::ffff:192.0.2.1"), 20) << "IPv4 counts by address";
    EXPECT_EQ(limits.burst_of("192.0.2.2"), 20);
}

TEST(RateLimiter, AClassMayHaveANarrowerLimitOfItsOwn) {
    Limits limits;
    limits.settings.limits[static_cast<std::size_t>(LimitPolicy::ip_orders)] =
        RateLimit{.interval = 1s, .burst = 4};
    EXPECT_EQ(limits.burst_of("198.51.100.7", RouteClass::orders), 4);
    EXPECT_EQ(limits.ask("198.51.100.7", RouteClass::orders).policy, LimitPolicy::ip_orders);
    EXPECT_EQ(limits.burst_of("198.51.100.7", RouteClass::batch), 0) << "batches are orders";
    EXPECT_EQ(limits.burst_of("198.51.100.7", RouteClass::reads), 16)
        << "four of twenty are used up, and what the narrow one refused used up nothing";
    EXPECT_EQ(limits.ask("198.51.100.7", RouteClass::reads).policy, LimitPolicy::ip);
}

TEST(RateLimiter, ReadsAndAdminHaveTheirOwnClassesToo) {
    Limits limits;
    limits.settings.limits[static_cast<std::size_t>(LimitPolicy::ip_reads)] =
        RateLimit{.interval = 1s, .burst = 3};
    limits.settings.limits[static_cast<std::size_t>(LimitPolicy::ip_admin)] =
        RateLimit{.interval = 1s, .burst = 2};
    EXPECT_EQ(limits.burst_of("198.51.100.7", RouteClass::reads), 3);
    EXPECT_EQ(limits.burst_of("198.51.100.7", RouteClass::admin), 2);
    EXPECT_EQ(limits.burst_of("198.51.100.7", RouteClass::open), 1000) << "probes are never held";
}

TEST(RateLimiter, TellsHowMuchIsLeft) {
    Limits limits;
    const LimitVerdict first = limits.ask("198.51.100.7");
    EXPECT_EQ(first.quota, 20U);
    EXPECT_EQ(first.remaining, 19U);
    EXPECT_EQ(first.window, 200ms);
    EXPECT_EQ(first.wait, 10ms) << "until all is back";
    static_cast<void>(limits.burst_of("198.51.100.7"));
    EXPECT_EQ(limits.ask("198.51.100.7").wait, 10ms) << "until one more";
}

TEST(RateLimiter, ShadowModeCountsAndRefusesNobody) {
    Limits limits;
    limits.settings.shadow = true;
    EXPECT_EQ(limits.burst_of("198.51.100.7"), 1000);
    EXPECT_EQ(limits.count(LimitPolicy::ip, LimitDecision::allowed), 20U);
    EXPECT_EQ(limits.count(LimitPolicy::ip, LimitDecision::shadow), 980U);
    EXPECT_EQ(limits.count(LimitPolicy::ip, LimitDecision::limited), 0U);
}

TEST(RateLimiter, TheAllowListIsNotCountedAgainstAnything) {
    Limits limits;
    limits.settings.allowed_networks.push_back(*base::IpNetwork::from("198.51.100.0/24"));
    limits.settings.allowed_users = {"zoe", "gateway"};
    EXPECT_EQ(limits.burst_of("198.51.100.7"), 1000);
    EXPECT_EQ(limits.count(LimitPolicy::ip, LimitDecision::exempt), 1000U);
    for (int at = 0; at < 100; ++at) {
        EXPECT_TRUE(limits.limiter().admit_user("gateway", start).allowed);
    }
    EXPECT_EQ(limits.count(LimitPolicy::user, LimitDecision::exempt), 100U);
}

TEST(RateLimiter, HoldsEachUserAlone) {
    Limits limits;
    for (int at = 0; at < 10; ++at) EXPECT_TRUE(limits.limiter().admit_user("a", start).allowed);
    const LimitVerdict refused = limits.limiter().admit_user("a", start);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.policy, LimitPolicy::user);
    EXPECT_TRUE(limits.limiter().admit_user("b", start).allowed);
    EXPECT_EQ(limits.count(LimitPolicy::user, LimitDecision::limited), 1U);
}

TEST(RateLimiter, AReloadKeepsWhatWasUsed) {
    Limits limits;
    EXPECT_EQ(limits.burst_of("198.51.100.7"), 20);
    limits.settings.limits[static_cast<std::size_t>(LimitPolicy::ip)]->burst = 25;
    limits.limiter().apply(limits.settings);
    EXPECT_EQ(limits.burst_of("198.51.100.7"), 5);
    limits.settings.enabled = false;
    limits.limiter().apply(limits.settings);
    EXPECT_EQ(limits.burst_of("198.51.100.7"), 1000) << "switched off";
    limits.settings.enabled = true;
    limits.limiter().apply(limits.settings);
    EXPECT_EQ(limits.burst_of("198.51.100.7"), 0) << "and on again";
}

TEST(RateLimiter, SaysWhatWasUsedHereAndTakesWhatWasUsedThere) {
    Limits here;
    Limits there;  // the same secret: the same hash of a client
    for (int at = 0; at < 6; ++at) EXPECT_TRUE(here.ask("198.51.100.7").allowed);
    auto uses = here.limiter().take_uses();
    ASSERT_EQ(uses.size(), 1U);
    EXPECT_EQ(uses.front().count, 5U) << "all but the first, by which nobody is known yet";
    EXPECT_EQ(uses.front().policy, 0U);
    EXPECT_TRUE(here.limiter().take_uses().empty());
    uses.push_back({.key = 1, .count = 1, .policy = 99});
    there.limiter().charge(uses, start);
    EXPECT_EQ(there.burst_of("198.51.100.7"), 15);
}

TEST(RateLimiter, TellsOfThoseWhoUsedMostWhenItCannotTellOfAll) {
    Limits limits;
    limits.settings.limits[static_cast<std::size_t>(LimitPolicy::ip)]->burst = 1000;
    for (std::uint32_t client = 0; client < 6000; ++client) {
        base::IpAddress address = *base::ip_address_from("10.0.0.0");
        address[14] = static_cast<std::uint8_t>(client / 256);
        address[15] = static_cast<std::uint8_t>(client % 256);
        const std::string user = std::to_string(client);
        for (int at = 0; at < 2; ++at) {
            static_cast<void>(limits.limiter().admit_address(address, RouteClass::orders, start));
            static_cast<void>(limits.limiter().admit_user(user, start));
        }
    }
    EXPECT_EQ(limits.limiter().take_uses().size(), RateLimiter::uses_max);
}

TEST(RateLimiter, HasEveryRowFromTheStart) {
    Limits limits;
    EXPECT_EQ(limits.limiter().rows().size(), limit_policy_count * limit_decision_count);
    EXPECT_EQ(limits.limiter().without_room(), 0U);
}

}  // namespace
}  // namespace firstcome::app
