// tests/base/json_string_test.cpp - escaping: whatever goes in, a JSON string comes out
#include "base/json_string.hpp"

#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::base {
namespace {

using namespace std::string_literals;

TEST(JsonString, EscapesWhatMustBeAndNothingElse) {
    const struct {
        std::string text;
        std::string expect;
        std::string why;
    } rows[] = {
        {"", R"("")", "empty"},
        {"plain text", R"("plain text")", "plain"},
        {R"(a"b\c)", R"("a\"b\\c")", "quote and backslash"},
        {"a\n\r\tb", R"("a\n\r\tb")", "short escapes"},
        {"\x00\x01\x1f"s, R"("\u0000\u0001\u001f")", "control characters"},
        {"\x7f", R"("\u007f")", "delete"},
        {"</script>", R"("</script>")", "a slash needs nothing"},
        {"\xEB\x8C\x80\xEA\xB8\xB0", "\"\xEB\x8C\x80\xEA\xB8\xB0\"", "Korean stays as it is"},
        {"\xF0\x9F\x8E\xAB", "\"\xF0\x9F\x8E\xAB\"", "four bytes"},
        {"a\xFFz", "\"a\xEF\xBF\xBDz\"", "no UTF-8"},
        {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"", "overlong"},
        {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"", "surrogate"},
        {"\xF4\x90\x80\x80",
         "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"",
         "above U+10FFFF"},
        {"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"", "cut"},
    };

    for (const auto& row : rows) {
        EXPECT_EQ(json_string(row.text), row.expect) << row.why;
        EXPECT_EQ(is_utf8(row.text), !row.expect.contains("\xEF\xBF\xBD")) << row.why;
    }
}

}  // namespace
}  // namespace firstcome::base
