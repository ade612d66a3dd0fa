// tests/base/by_part_test.cpp - entries come out by parts, each part's in the order they went in
#include "base/by_part.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace firstcome::base {
namespace {

struct Numbered {
    std::uint64_t key = 0;
    int number = 0;
};

TEST(ByPart, HandsOverEveryEntryOnceWithThoseOfOneKeyInTheirOrder) {
    test::SeededEntropy random{1};
    ByPart<Numbered> entries;
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 5'000; ++i) {
            const std::uint64_t key = (random.next() % 400) * 0x9E3779B97F4A7C15ULL;
            entries.add(key, {key, i});
        }
        ASSERT_EQ(entries.size(), 5'000U);
        std::map<std::uint64_t, int> last;
        std::size_t taken = 0;
        const auto take = [&](std::span<const Numbered> part) {
            taken += part.size();
            for (const Numbered& each : part) {
                EXPECT_EQ(
                    FlatTable<int>::part_index(each.key),
                    FlatTable<int>::part_index(part.front().key)
                );
                const auto [before, is_first] = last.try_emplace(each.key, -1);
                EXPECT_LT(before->second, each.number);
                before->second = each.number;
            }
        };
        entries.drain(100, take);
        EXPECT_EQ(entries.size(), 5'000U - taken);
        entries.drain(ByPart<Numbered>::parts - 100, take);
        EXPECT_EQ(taken, 5'000U);
        EXPECT_EQ(entries.size(), 0U) << "so that it can be filled again";
    }
}

}  // namespace
}  // namespace firstcome::base
