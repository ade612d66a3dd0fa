// tests/base/hash_test.cpp - keyed hashes: the pair's border counts, and so does the secret
#include "base/hash.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

namespace firstcome::base {
namespace {

KeyedHash keyed(std::uint64_t seed) {
    test::SeededEntropy entropy{seed};
    return KeyedHash{KeyedHash::new_secret(entropy)};
}

TEST(KeyedHash, TellsWhereTheFirstOfAPairEnds) {
    const KeyedHash hash = keyed(1);
    const std::pair<std::string_view, std::string_view> pairs[] = {
        {"ab", "c"}, {"a", "bc"}, {"", "abc"}, {"abc", ""}, {"c", "ab"}, {"ab", "d"}, {"", ""}};
    std::set<Hash128> seen;
    for (const auto& [first, second] : pairs) seen.insert(hash.hash128(first, second));
    EXPECT_EQ(seen.size(), std::size(pairs));
}

TEST(KeyedHash, IsTheSameForTheSameSecretAndAnotherForAnother) {
    const KeyedHash hash = keyed(1);
    EXPECT_EQ(hash.hash64("ann"), keyed(1).hash64("ann"));
    EXPECT_NE(hash.hash64("ann"), keyed(2).hash64("ann"));
    EXPECT_EQ(hash.hash128("ann", "k"), keyed(1).hash128("ann", "k"));
    EXPECT_NE(hash.hash128("ann", "k"), keyed(2).hash128("ann", "k"));
    EXPECT_NE(hash.hash128("ann", "k").high, keyed(2).hash128("ann", "k").high);
    EXPECT_NE(hash.hash128("ann", "k").low, keyed(2).hash128("ann", "k").low);
}

TEST(KeyedHash, EveryByteOfTheLongestPairCounts) {
    const KeyedHash hash = keyed(3);
    std::string first(255, 'a');
    std::string second(255, 'b');
    const Hash128 whole = hash.hash128(first, second);
    first.back() = 'x';
    EXPECT_NE(hash.hash128(first, second), whole);
    first.back() = 'a';
    second.back() = 'x';
    EXPECT_NE(hash.hash128(first, second), whole);
}

TEST(KeyedHash, HashesOfManyUsersAllDiffer) {
    const KeyedHash hash = keyed(4);
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 100'000; ++i) seen.insert(hash.hash64("user-" + std::to_string(i)));
    EXPECT_EQ(seen.size(), 100'000U);
}

TEST(KeyedHash, ASecretFromTheKernelIsNewEveryTime) {
    SystemEntropy entropy;
    EXPECT_NE(KeyedHash::new_secret(entropy), KeyedHash::new_secret(entropy));
}

TEST(SystemEntropy, GivesNoWordTwiceAcrossItsBlocks) {
    SystemEntropy entropy;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1'000; ++i) seen.insert(entropy.next());
    EXPECT_EQ(seen.size(), 1'000U);
}

}  // namespace
}  // namespace firstcome::base
