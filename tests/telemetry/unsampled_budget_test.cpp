// tests/telemetry/unsampled_budget_test.cpp - so many a second, and no more
#include "telemetry/unsampled_budget.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr base::MonotonicTime start{1000s};

TEST(UnsampledBudget, IsFullAgainWithEachSecondAndKeepsNothingForTheNext) {
    UnsampledBudget budget{3};
    const auto taken_at = [&](base::MonotonicTime now) {
        int taken = 0;
        for (int tries = 0; tries < 10; ++tries) taken += budget.take(now) ? 1 : 0;
        return taken;
    };
    EXPECT_EQ(taken_at(start), 3);
    EXPECT_EQ(taken_at(start + 999ms), 0) << "the same second";
    EXPECT_EQ(taken_at(start + 1s), 3);
    EXPECT_EQ(taken_at(start + 1h), 3) << "an hour without any makes no more";
}

TEST(UnsampledBudget, OfNoneGivesNone) {
    UnsampledBudget budget{0};
    EXPECT_FALSE(budget.take(start));
}

TEST(UnsampledBudget, IsOneForAllThreads) {
    constexpr int most = 1000;
    UnsampledBudget budget{most};
    std::atomic<int> taken{0};
    {
        std::vector<std::jthread> threads;
        threads.reserve(4);
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (int tries = 0; tries < most; ++tries) taken += budget.take(start) ? 1 : 0;
            });
        }
    }
    EXPECT_EQ(taken.load(), most);
}

}  // namespace
}  // namespace firstcome::telemetry
