// tests/http/buyer_tokens_test.cpp - a token is checked once, and forgotten in time
#include "http/buyer_tokens.hpp"

#include "tests/http/token_maker.hpp"
#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view old_secret = "the secret of yesterday, 32 bytes";
constexpr std::string_view new_secret = "the secret of tomorrow, 32 bytes.";

class Buyers : public testing::Test {
protected:
    static JwtKeys keys(std::string_view secret) {
        return {JwtKey::of_secret({}, std::string(secret))};
    }

    [[nodiscard]] std::string token(
        std::string_view user, std::chrono::seconds life, std::string_view secret = old_secret
    ) const {
        const auto now =
            std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch());
        const std::string claims = R"({"sub":")" + std::string(user) + R"(","exp":)" +
                                   std::to_string((now + life).count()) + "}";
        return token_by_secret(secret, R"({"alg":"HS256"})", claims);
    }

    std::string ask(std::string_view token) {
        const auto buyer = buyers_.buyer_of(token);
        return buyer ? std::string(buyer->text()) : std::string(name(buyer.error()));
    }

    test::ManualClock clock_;
    test::SeededEntropy entropy_;
    BuyerTokens buyers_{JwtRules{{}, {}, 0s}, keys(old_secret), clock_, entropy_};
};

TEST_F(Buyers, ATokensSignatureIsCheckedOnce) {
    const std::string mine = token("u1", 60s);
    const std::string yours = token("u2", 60s);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(ask(mine), "u1");
        EXPECT_EQ(ask(yours), "u2");
    }
    EXPECT_EQ(buyers_.verified(), 2U);
}

TEST_F(Buyers, ARememberedTokenExpiresToo) {
    const std::string mine = token("u1", 60s);
    EXPECT_EQ(ask(mine), "u1");
    clock_.pass(59s);
    EXPECT_EQ(ask(mine), "u1");
    clock_.pass(1s);
    EXPECT_EQ(ask(mine), "expired");
}

TEST_F(Buyers, ARefusedTokenIsNotRemembered) {
    const std::string forged = token("u1", 60s, new_secret);
    EXPECT_EQ(ask(forged), "bad_signature");
    EXPECT_EQ(ask(forged), "bad_signature");
    EXPECT_EQ(ask(std::string(jwt_size_max + 1, 'a')), "malformed");
}

TEST_F(Buyers, OtherKeysMakeEveryTokenProveItselfAgain) {
    const std::string yesterdays = token("u1", 60s);
    const std::string tomorrows = token("u1", 60s, new_secret);
    EXPECT_EQ(ask(yesterdays), "u1");
    EXPECT_EQ(ask(tomorrows), "bad_signature");
    buyers_.replace(JwtRules{{}, {}, 0s}, keys(new_secret));
    EXPECT_EQ(ask(yesterdays), "bad_signature") << "its key is gone";
    EXPECT_EQ(ask(tomorrows), "u1");
}

TEST(TokenCache, KeepsAsManyAsItHasRoomForAndGoesOn) {
    TokenCache cache;
    const test::ManualClock clock;
    const auto now = clock.wall();
    const auto user = *domain::UserId::from("u");
    const auto hash = [](std::uint64_t n) {
        return base::Hash128{.high = n * 0x9E3779B97F4A7C15ULL, .low = n};
    };
    const std::uint64_t many = 2 * TokenCache::tokens_max;
    for (std::uint64_t n = 0; n < many; ++n) {
        cache.keep(hash(n), 1, {.user = user, .expires = now + 1s}, now);
    }
    std::size_t kept = 0;
    for (std::uint64_t n = 0; n < many; ++n) {
        if (cache.find(hash(n), 1, now)) ++kept;
    }
    EXPECT_GT(kept, TokenCache::tokens_max / 2);
    EXPECT_LE(kept, TokenCache::tokens_max);
    EXPECT_TRUE(cache.find(hash(many - 1), 1, now)) << "the newest is always there";
    EXPECT_FALSE(cache.find(hash(many - 1), 2, now)) << "not for the next keys";
    EXPECT_FALSE(cache.find(hash(many - 1), 1, now + 1s)) << "not when it has expired";
}

}  // namespace
}  // namespace firstcome::http
