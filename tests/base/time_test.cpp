// tests/base/time_test.cpp - the machine's clocks, as far as they can be promised
#include "base/time.hpp"

#include <gtest/gtest.h>

namespace firstcome::base {
namespace {

TEST(SystemClock, TheMonotonicClockNeverStepsBack) {
    const SystemClock clock;
    MonotonicTime last = clock.monotonic();
    for (int i = 0; i < 10'000; ++i) {
        const MonotonicTime now = clock.monotonic();
        ASSERT_GE(now, last);
        last = now;
    }
}

TEST(SystemClock, TheWallClockCountsFrom1970) {
    EXPECT_GT(
        SystemClock{}.wall(), WallTime{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}}
    );
}

}  // namespace
}  // namespace firstcome::base
