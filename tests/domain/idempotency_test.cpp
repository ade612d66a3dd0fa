// tests/domain/idempotency_test.cpp - how long a key is remembered, and what remembering costs
#include "domain/idempotency.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

namespace firstcome::domain {
namespace {

using namespace std::chrono_literals;
using base::MonotonicTime;

constexpr KeyHash key{.high = 1, .low = 0x1234567890ABCDEF};
const MonotonicTime start{100h};

TEST(RememberedKeys, AreThereForAllOfTheirLifetimeAndNotASecondLonger) {
    struct Row {
        std::chrono::milliseconds accepted_at;  // after start
        std::chrono::milliseconds asked_at;     // after start
        bool remembered;
        std::string_view why;
    };

    const Row rows[] = {
        {0ms, 0ms, true, "at once"},
        {0ms, 59'999ms, true, "to the last millisecond"},
        {999ms, 60'998ms, true, "to the last millisecond of an odd one"},
        {1ms, 61'001ms, false, "rounded up by less than a second"},
        {0ms, 61'000ms, false, "gone a second later at the latest"},
        {0ms, 24h, false, "long gone"},
    };
    for (const Row& row : rows) {
        RememberedKeys keys;
        const MonotonicTime accepted = start + row.accepted_at;
        keys.remember(key, 7, accepted + 60s, accepted);
        const auto found = keys.find(key, start + row.asked_at);
        EXPECT_EQ(found.has_value(), row.remembered) << row.why;
        if (found) {
            EXPECT_EQ(*found, 7U) << row.why;
        }
    }
}

TEST(RememberedKeys, BothHalvesOfTheKeyCount) {
    RememberedKeys keys;
    keys.remember(key, 7, start + 60s, start);
    EXPECT_FALSE(keys.find({.high = 2, .low = key.low}, start).has_value());
    EXPECT_FALSE(keys.find({.high = 1, .low = key.low + 1}, start).has_value());
    EXPECT_TRUE(keys.find(key, start).has_value());
}

TEST(RememberedKeys, AForgottenKeyWasNeverThere) {
    RememberedKeys keys;
    keys.remember(key, 7, start + 60s, start);
    keys.forget(key);
    EXPECT_FALSE(keys.find(key, start).has_value());
    EXPECT_EQ(keys.size(), 0U);
    keys.remember(key, 8, start + 60s, start);
    EXPECT_EQ(keys.find(key, start), 8U);
}

TEST(RememberedKeys, AnExpiredKeyMayBeRememberedAnewWithAnotherOrder) {
    RememberedKeys keys;
    keys.remember(key, 7, start + 60s, start);
    keys.remember(key, 8, start + 200s, start + 100s);
    EXPECT_EQ(keys.find(key, start + 150s), 8U);
    EXPECT_EQ(keys.size(), 1U);
}

TEST(RememberedKeys, ExpiredKeysMakeRoomForNewOnes) {
    RememberedKeys keys;
    test::SeededEntropy random;
    MonotonicTime now = start;
    std::size_t most = 0;
    for (int second = 0; second < 600; ++second) {
        for (int i = 0; i < 200; ++i) {
            keys.remember({random.next(), random.next()}, 1, now + 60s, now);
        }
        now += 1s;
        most = std::max(most, keys.memory_bytes());
    }
    EXPECT_LT(keys.size(), 30'000U) << "12,000 live at a time, of 120,000";
    EXPECT_LT(most, 2'000'000U);
}

TEST(RememberedKeys, AMillionCostAtMost64BytesEach) {
    RememberedKeys keys;
    test::SeededEntropy random;
    for (int i = 0; i < 1'000'000; ++i) {
        keys.remember({random.next(), random.next()}, 1, start + 60s, start);
    }
    ASSERT_EQ(keys.size(), 1'000'000U);
    EXPECT_LE(keys.memory_bytes() / keys.size(), 64U);
}

}  // namespace
}  // namespace firstcome::domain
