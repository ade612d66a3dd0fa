// tests/base/flat_table_test.cpp - the compact map against the standard one
#include "base/flat_table.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <unordered_map>
#include <vector>

namespace firstcome::base {
namespace {

using test::SeededEntropy;
using Table = FlatTable<std::uint64_t>;
using Reference = std::unordered_map<std::uint64_t, std::uint64_t>;

// Every kind of key the table must stand, of a small set each, so that inserts meet erases.
struct KeyKind {
    std::string_view why;
    std::function<std::uint64_t(SeededEntropy&)> draw;
};

const std::vector<KeyKind>& key_kinds() {
    static const std::vector<KeyKind> kinds{
        {"well mixed, as in use",
         [](SeededEntropy& e) { return (e.next() % 3'000) * 0x9E3779B97F4A7C15ULL; }},
        {"one part, spread over its slots",
         [](SeededEntropy& e) { return ((e.next() % 400) << 55U) | 7U; }},
        {"one part, one home: a single long run",
         [](SeededEntropy& e) { return (e.next() % 200) * 256 + 3; }},
        {"one part, home in the last slot: runs go around the end",
         [](SeededEntropy& e) { return (~std::uint64_t{0} << 20U) | ((e.next() % 200) * 256); }},
        {"two homes close to the end, mixed",
         [](SeededEntropy& e) {
             const std::uint64_t top = e.next() % 2 == 0 ? 0xFFFF : 0xF000;
             return (top << 48U) | ((e.next() % 60) * 256);
         }},
        {"small numbers with 0", [](SeededEntropy& e) { return (e.next() % 300) * 2; }},
    };
    return kinds;
}

void expect_same(const Table& table, const Reference& reference) {
    ASSERT_EQ(table.size(), reference.size());
    for (const auto& [key, value] : reference) {
        const std::uint64_t* found = table.find(key);
        ASSERT_NE(found, nullptr) << "key " << key;
        ASSERT_EQ(*found, value) << "key " << key;
    }
}

TEST(FlatTable, AgreesWithTheStandardMapOverRandomSteps) {
    for (const KeyKind& kind : key_kinds()) {
        for (std::uint64_t seed = 1; seed <= 8; ++seed) {
            SCOPED_TRACE(testing::Message() << kind.why << ", seed " << seed);
            SeededEntropy random{seed};
            Table table;
            Reference reference;
            for (int step = 0; step < 4'000; ++step) {
                const std::uint64_t key = kind.draw(random);
                switch (random.next() % 4) {
                    case 0:
                    case 1: {
                        const std::uint64_t value = random.next();
                        table.find_or_add(key) = value;
                        reference[key] = value;
                        break;
                    }
                    case 2: ASSERT_EQ(table.erase(key), reference.erase(key) == 1); break;
                    default: {
                        const std::uint64_t* found = table.find(key);
                        const auto known = reference.find(key);
                        ASSERT_EQ(found != nullptr, known != reference.end());
                        if (found != nullptr) {
                            ASSERT_EQ(*found, known->second);
                        }
                    }
                }
            }
            expect_same(table, reference);
            for (const auto& entry : Reference{reference}) {
                ASSERT_TRUE(table.erase(entry.first));
                reference.erase(entry.first);
                if (reference.size() % 97 == 0) expect_same(table, reference);
            }
            EXPECT_EQ(table.size(), 0U);
        }
    }
}

TEST(FlatTable, HasNothingAtFirstAndAfterClear) {
    Table table;
    EXPECT_EQ(table.find(1), nullptr);
    EXPECT_FALSE(table.erase(1));
    EXPECT_EQ(table.find_or_add(1), 0U) << "made with Value{}";
    table.find_or_add(1) = 5;
    EXPECT_EQ(table.find_or_add(1), 5U);
    table.clear();
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.find(1), nullptr);
}

TEST(FlatTable, KeyZeroIsAKeyButSharesItsPlaceWithOne) {
    Table table;
    EXPECT_EQ(table.find(0), nullptr);
    table.find_or_add(0) = 9;
    ASSERT_NE(table.find(0), nullptr);
    EXPECT_EQ(*table.find(0), 9U);
    EXPECT_EQ(*table.find(1), 9U) << "0 marks an empty slot, so it is stored as 1";
    EXPECT_TRUE(table.erase(0));
    EXPECT_EQ(table.find(0), nullptr);
}

TEST(FlatTable, DropsWhatMayGoBeforeItGrows) {
    Table table;
    SeededEntropy random;
    const auto odd_may_go = [](std::uint64_t value) { return value % 2 == 1; };
    std::vector<std::uint64_t> staying;
    for (std::uint64_t i = 0; i < 200'000; ++i) {
        const std::uint64_t key = random.next();
        const bool stays = i % 100 == 0;
        table.find_or_add(key, odd_may_go) = stays ? 2 * i : 1;
        if (stays) staying.push_back(key);
    }
    for (const std::uint64_t key : staying) ASSERT_NE(table.find(key), nullptr);
    EXPECT_LT(table.size(), 12'000U) << "198,000 were told to go as room was needed";
    EXPECT_LT(table.memory_bytes(), 400'000U);
}

TEST(FlatTable, AMillionEntriesOfOneWordCostAtMost32BytesEach) {
    Table table;
    SeededEntropy random;
    std::size_t most_per_entry = 0;
    for (std::uint64_t i = 1; i <= 1'000'000; ++i) {
        table.find_or_add(random.next()) = i;
        if (i >= 500'000 && i % 50'000 == 0) {
            most_per_entry = std::max(most_per_entry, table.memory_bytes() / table.size());
        }
    }
    EXPECT_EQ(table.size(), 1'000'000U);
    EXPECT_LE(most_per_entry, 32U);
}

}  // namespace
}  // namespace firstcome::base
