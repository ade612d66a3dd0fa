// tests/domain/types_test.cpp - ids: what is one, how it is spelled, that each is above the last
#include "domain/types.hpp"

#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::domain {
namespace {

using namespace std::chrono_literals;
using test::SeededEntropy;

TEST(Id, TakesOneTo64CharactersOfTheAllowedOnes) {
    struct Row {
        std::string text;
        bool is_id;
        std::string_view why;
    };

    const Row rows[] = {
        {"a", true, "one character"},
        {std::string(64, 'x'), true, "the longest"},
        {std::string(65, 'x'), false, "one too many"},
        {"", false, "empty"},
        {"AZaz09._:-", true, "every class, with its ends"},
        {"@", false, "before A"},
        {"[", false, "behind Z"},
        {"`", false, "before a"},
        {"{", false, "behind z"},
        {"/", false, "before 0"},
        {";", false, "behind :"},
        {"a b", false, "a space"},
        {"a\n", false, "a line's end"},
        {std::string("a\0b", 3), false, "a zero byte"},
        {"\xC3\xA4", false, "beyond ASCII"},
        {"%41", false, "nothing is decoded here"},
    };
    for (const Row& row : rows) {
        const auto id = ItemId::from(row.text);
        ASSERT_EQ(id.has_value(), row.is_id) << row.why;
        if (id) {
            EXPECT_EQ(id->text(), row.text) << row.why;
        }
    }
}

TEST(Id, ComparesByItsTextAlone) {
    const UserId longer = test::user("anna");
    UserId id = longer;
    id = test::user("ann");
    EXPECT_EQ(id, test::user("ann")) << "what stood there before does not count";
    EXPECT_EQ(std::hash<UserId>{}(id), std::hash<UserId>{}(test::user("ann")));
    EXPECT_LT(id, longer);
    EXPECT_LT(test::user("B"), test::user("a"));
    EXPECT_NE(test::user("Ann"), id) << "case counts";
}

TEST(IsCanonicalInteger, IsTheOneSpellingOfEach64BitInteger) {
    const std::pair<std::string_view, bool> rows[] = {
        {"0", true},
        {"42", true},
        {"-7", true},
        {"9223372036854775807", true},
        {"-9223372036854775808", true},
        {"9223372036854775808", false},
        {"-9223372036854775809", false},
        {"99999999999999999999999999", false},
        {"042", false},
        {"00", false},
        {"-0", false},
        {"-", false},
        {"+1", false},
        {" 1", false},
        {"1 ", false},
        {"1.0", false},
        {"1e3", false},
        {"0x1", false},
        {"", false},
        {"ann", false},
    };
    for (const auto& [text, expected] : rows)
        EXPECT_EQ(is_canonical_integer(text), expected) << text;
}

constexpr std::string_view spelled = "019abcde-f012-7345-89ab-cdef01234567";

TEST(OrderId, IsReadBackAsItWasWritten) {
    SeededEntropy entropy;
    OrderIdMaker maker{5, 0, entropy};
    WallTime now{1'763'769'600'000ms};
    for (int i = 0; i < 1'000; ++i) {
        const OrderId id = maker.next(now);
        const std::string text = id.text();
        ASSERT_EQ(OrderId::from(text), id) << text;
        ASSERT_EQ(text[14], '7') << "the version";
        ASSERT_NE(std::string_view("89ab").find(text[19]), std::string_view::npos) << "the variant";
        now += std::chrono::milliseconds{i % 3};
    }
    const auto id = OrderId::from(spelled);
    ASSERT_TRUE(id.has_value());
    EXPECT_EQ(id->high, 0x019abcdef0127345U);
    EXPECT_EQ(id->low, 0x89abcdef01234567U);
    EXPECT_EQ(id->text(), spelled);
}

TEST(OrderId, IsReadInUpperCaseToo) {
    EXPECT_EQ(OrderId::from("019ABCDE-F012-7345-89AB-CDEF01234567"), OrderId::from(spelled));
}

TEST(OrderId, IsNothingButACanonicalUuidOfVersion7) {
    const std::pair<std::string, std::string_view> rows[] = {
        {"", "empty"},
        {"019abcde-f012-7345-89ab-cdef0123456", "one short"},
        {"019abcde-f012-7345-89ab-cdef012345678", "one long"},
        {"019abcdef01273458 9abcdef01234567890", "no dashes"},
        {"019abcd-ef012-7345-89ab-cdef01234567", "a dash one early"},
        {"019abcde-f012-7345-89ab-cdef0123456g", "g"},
        {"019abcde-f012-7345-89ab-cdef0123 567", "a space"},
        {"{19abcde-f012-7345-89ab-cdef0123456}", "braces"},
        {"019abcde-f012-4345-89ab-cdef01234567", "version 4"},
        {"019abcde-f012-8345-89ab-cdef01234567", "version 8"},
        {"019abcde-f012-7345-79ab-cdef01234567", "the variant below"},
        {"019abcde-f012-7345-c9ab-cdef01234567", "the variant above"},
    };
    for (const auto& [text, why] : rows) EXPECT_FALSE(OrderId::from(text).has_value()) << why;
}

TEST(OrderIdMaker, CarriesTheTimeAndTheShard) {
    SeededEntropy entropy;
    const WallTime now{1'763'769'600'123ms};
    for (const unsigned shard : {0U, 1U, 7U, 63U}) {
        OrderIdMaker maker{shard, 0, entropy};
        for (int i = 0; i < 50; ++i) {
            const OrderId id = maker.next(now);
            EXPECT_EQ(id.shard(), shard);
            EXPECT_EQ(id.high >> 16U, 1'763'769'600'123U);
        }
    }
}

TEST(OrderIdMaker, EachIsAboveTheLastAlsoWhenTheClockStepsBack) {
    SeededEntropy entropy;
    OrderIdMaker maker{0, 0, entropy};
    const WallTime start{1'763'769'600'000ms};
    const std::chrono::milliseconds steps[] = {0ms, 0ms, 1ms, 5ms, -1h, 0ms, 1ms, -24h, 48h, -48h};
    WallTime now = start;
    OrderId last = maker.next(now);
    for (int round = 0; round < 100; ++round) {
        now += steps[static_cast<std::size_t>(round) % std::size(steps)];
        const OrderId id = maker.next(now);
        ASSERT_GT(id.high, last.high);
        ASSERT_TRUE(OrderId::from(id.text()).has_value());
        last = id;
    }
}

TEST(OrderIdMaker, GoesOnAboveTheLastIdOfTheStore) {
    SeededEntropy entropy;
    const WallTime now{1'763'769'600'000ms};
    OrderIdMaker before{0, 0, entropy};
    const OrderId last = before.next(now + 1h);
    OrderIdMaker after{0, last.high, entropy};
    EXPECT_GT(after.next(now).high, last.high) << "restarted with a clock that stepped back";
}

TEST(OrderIdMaker, ManyInOneMillisecondSpillIntoTheNext) {
    SeededEntropy entropy;
    OrderIdMaker maker{0, 0, entropy};
    const WallTime now{1'000ms};
    OrderId last = maker.next(now);
    EXPECT_EQ(last.high & 0x0FFFU, 0U);
    for (int i = 1; i < 4'096; ++i) {
        const OrderId id = maker.next(now);
        ASSERT_EQ(id.high, last.high + 1);
        last = id;
    }
    EXPECT_EQ(last.high >> 16U, 1'000U);
    const OrderId spilled = maker.next(now);
    EXPECT_GT(spilled.high, last.high);
    EXPECT_EQ(spilled.high >> 16U, 1'001U);
    EXPECT_EQ(spilled.high & 0xF000U, 0x7000U) << "the version is not counted into";
    EXPECT_TRUE(OrderId::from(spilled.text()).has_value());
}

TEST(OrderIdMaker, TheLowHalfIsDrawnAnewEachTime) {
    SeededEntropy entropy;
    OrderIdMaker maker{0, 0, entropy};
    EXPECT_NE(maker.next(WallTime{1ms}).low, maker.next(WallTime{1ms}).low);
}

}  // namespace
}  // namespace firstcome::domain
