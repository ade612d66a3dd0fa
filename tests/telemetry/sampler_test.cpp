// tests/telemetry/sampler_test.cpp - which traces are kept
#include "telemetry/sampler.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

namespace firstcome::telemetry {
namespace {

TEST(Sampler, LeavesItToTheCallerOnlyWhenParentBased) {
    struct Row {
        bool parent_based;
        double ratio;
        std::optional<bool> parent;
        bool kept;
        const char* why;
    };

    const Row rows[] = {
        {true, 1, std::nullopt, true, "parentbased_always_on without a caller"},
        {true, 1, false, false, "the caller said no"},
        {true, 0, true, true, "the caller said yes"},
        {true, 0, std::nullopt, false, "parentbased_always_off without a caller"},
        {false, 1, false, true, "always_on asks nobody"},
        {false, 0, true, false, "always_off asks nobody"},
    };
    for (const Row& row : rows) {
        const Sampler sampler{{.parent_based = row.parent_based, .ratio = row.ratio}};
        for (const std::uint64_t id : {std::uint64_t{0}, ~std::uint64_t{0}}) {
            EXPECT_EQ(sampler.keeps(id, row.parent), row.kept) << row.why;
        }
    }
}

TEST(Sampler, KeepsTheShareOfTracesItIsToldTo) {
    const Sampler sampler{{.parent_based = true, .ratio = 0.01}};
    test::SeededEntropy entropy;
    int kept = 0;
    for (int n = 0; n < 100'000; ++n) kept += sampler.keeps(entropy.next(), std::nullopt) ? 1 : 0;
    EXPECT_GT(kept, 800);
    EXPECT_LT(kept, 1200);
}

TEST(Sampler, WithALargerShareKeepsAllThatASmallerOneKeeps) {
    const Sampler less{{.parent_based = true, .ratio = 0.1}};
    const Sampler more{{.parent_based = true, .ratio = 0.2}};
    test::SeededEntropy entropy;
    for (int n = 0; n < 10'000; ++n) {
        const std::uint64_t id = entropy.next();
        EXPECT_TRUE(!less.keeps(id, std::nullopt) || more.keeps(id, std::nullopt)) << id;
    }
}

}  // namespace
}  // namespace firstcome::telemetry
