// tests/adapters/postgres/storable_test.cpp - what is no text is replaced, all else stays
#include "adapters/postgres/storable.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firstcome::test {
namespace {

TEST(Storable, KeepsTextAndReplacesWhatIsNone) {
    struct Row {
        std::string_view given;
        std::string_view stored;
        std::string_view why;
    };

    const Row rows[] = {
        {"plain", "plain", "ASCII stays"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d",
         "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d",
         "two, three, four bytes"},
        {{"a\0b", 3}, "a?b", "PostgreSQL has no NUL"},
        {"\xc3", "?", "cut in the middle"},
        {"\xc0\x80", "??", "overlong"},
        {"\xed\xa0\x80", "???", "half of a surrogate pair"},
        {"\xf4\x90\x80\x80", "????", "beyond Unicode"},
        {"\xff(", "?(", "no beginning"},
    };
    for (const Row& row : rows) EXPECT_EQ(postgres::storable(row.given), row.stored) << row.why;
    EXPECT_EQ(postgres::storable(std::string(2'000, 'x')).size(), 2'000U) << "no limit given";
    EXPECT_EQ(postgres::storable(std::string(2'000, 'x'), 1'000).size(), 1'000U);
    EXPECT_EQ(postgres::storable(std::string(999, 'x') + "\xc3\xa9", 1'000).size(), 999U);
}

}  // namespace
}  // namespace firstcome::test
