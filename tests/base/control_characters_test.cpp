// tests/base/control_characters_test.cpp - nothing moves a terminal's cursor, and all else stays
#include "base/control_characters.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firstcome::base {
namespace {

TEST(ControlCharacters, AreReplacedAndNothingElseIs) {
    const struct {
        std::string text;
        std::string expect;
        std::string_view why;
    } rows[] = {
        {"", "", "nothing"},
        {"sold out", "sold out", "ASCII"},
        {"a\x1B[2J\r\n\x7Fz", "a [2J   z", "C0 and DEL"},
        {{"a\0z", 3}, "a z", "NUL"},
        {"a\xC2\x9B"
         "2Jz",
         "a 2Jz",
         "U+009B begins a control sequence as ESC [ does"},
        {"\xC2\x80\xC2\x9F", "  ", "the first and the last of C1"},
        {"\xC2\xA0\xC2\xC3\xA9", "\xC2\xA0\xC2\xC3\xA9", "not of C1"},
        {"\xE2\x80\x9B \xED\x92\x88", "\xE2\x80\x9B \xED\x92\x88", "their bytes in others"},
        {"z\xC2", "z\xC2", "cut"},
    };

    for (const auto& row : rows) EXPECT_EQ(without_controls(row.text, ' '), row.expect) << row.why;
}

}  // namespace
}  // namespace firstcome::base
