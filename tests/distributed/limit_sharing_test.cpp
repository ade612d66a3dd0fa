// tests/distributed/limit_sharing_test.cpp - three nodes, one limit, one minute, a real Redis
#include "app/limit_sharing.hpp"

#include "adapters/redis/limit_share.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

namespace firstcome {
namespace {

using namespace std::chrono_literals;
using app::LimitPolicy;
using app::RouteClass;

/// One node's limits, on a clock that all nodes of a test share.
struct Node {
    Node(
        const test::RedisServer& server,
        const base::KeyedHash& hash,
        test::ManualClock& manual,
        base::Entropy& entropy
    ) {
        app::LimitSettings settings;
        settings.limits[static_cast<std::size_t>(LimitPolicy::ip)] =
            resilience::RateLimit{.interval = 10ms, .burst = 200};
        settings.limits[static_cast<std::size_t>(LimitPolicy::user)] =
            resilience::RateLimit{.interval = 200ms, .burst = 10};
        limiter = std::make_unique<app::RateLimiter>(
            app::RateLimiter::Options{.memory_max_bytes = 4U << 20U, .shares = true},
            std::move(settings),
            hash
        );
        redis::ConnectionOptions options;
        options.url = *redis::parse_url(server.url());
        sharing = std::make_unique<app::LimitSharing>(
            *limiter,
            std::make_unique<redis::LimitShare>(std::move(options), real_clock, entropy),
            manual,
            [](bool) {}
        );
    }

    base::SystemClock real_clock;
    std::unique_ptr<app::RateLimiter> limiter;
    std::unique_ptr<app::LimitSharing> sharing;
};

class LimitSharingTest : public testing::Test {
protected:
    void SetUp() override {
        for (auto& node : nodes_) node = std::make_unique<Node>(server_, hash_, clock_, entropy_);
        exchange();
    }

    void exchange() {
        for (auto& node : nodes_) static_cast<void>(node->sharing->exchange());
    }

    /// Each node is asked every `gap` for a minute; what one of `clients` was allowed in all.
    double allowed_in_a_minute(std::chrono::milliseconds gap, int clients) {
        int allowed = 0;
        const auto address = *base::ip_address_from("198.51.100.7");
        for (std::chrono::milliseconds at{0}; at < 60s; at += gap) {
            for (auto& node : nodes_) {
                if (clients == 1) {
                    allowed +=
                        node->limiter->admit_address(address, RouteClass::reads, clock_.monotonic())
                                .allowed
                            ? 1
                            : 0;
                    continue;
                }
                for (int client = 0; client < clients; ++client) {
                    const std::string user = std::to_string(client);
                    allowed += node->limiter->admit_user(user, clock_.monotonic()).allowed ? 1 : 0;
                }
            }
            clock_.pass(gap);
            if ((at + gap) % app::LimitSharing::slice < gap) exchange();
        }
        return static_cast<double>(allowed) / clients;
    }

    test::RedisServer server_;
    test::ManualClock clock_;
    test::SeededEntropy entropy_;
    base::KeyedHash hash_{base::KeyedHash::new_secret(entropy_)};
    std::array<std::unique_ptr<Node>, 3> nodes_;
};

TEST_F(LimitSharingTest, AnAddressGetsItsLimitOnceNotOncePerNode) {
    const double limit = 200 + 60 * 100;
    EXPECT_NEAR(allowed_in_a_minute(4ms, 1), limit, 0.05 * limit) << "250 a second at each node";
}

TEST_F(LimitSharingTest, AlsoWhenEachNodeAloneIsBelowTheLimit) {
    const double limit = 200 + 60 * 100;
    EXPECT_NEAR(allowed_in_a_minute(11ms, 1), limit, 0.05 * limit) << "91 a second at each node";
}

TEST_F(LimitSharingTest, AThousandUsersEachGetTheirs) {
    const double limit = 10 + 60 * 5;
    EXPECT_NEAR(allowed_in_a_minute(100ms, 1000), limit, 0.05 * limit);
}

TEST_F(LimitSharingTest, WithoutRedisEachNodeHoldsTheLimitAlone) {
    server_.kill();
    const double limit = 200 + 60 * 100;
    const auto address = *base::ip_address_from("198.51.100.7");
    int allowed = 0;
    for (int at = 0; at < 6000; ++at) {
        for (int twice = 0; twice < 2; ++twice) {
            const auto now = clock_.monotonic();
            allowed +=
                nodes_[0]->limiter->admit_address(address, RouteClass::reads, now).allowed ? 1 : 0;
        }
        clock_.pass(10ms);
        if (at % 600 == 0) {
            EXPECT_FALSE(nodes_[0]->sharing->exchange());
        }
    }
    EXPECT_NEAR(static_cast<double>(allowed), limit, 2);
}

}  // namespace
}  // namespace firstcome
