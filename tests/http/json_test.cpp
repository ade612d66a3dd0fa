// tests/http/json_test.cpp - escaping: whatever goes in, valid JSON comes out
#include "http/json.hpp"

#include "http/input_error.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

namespace firstcome::http {
namespace {

using namespace std::string_literals;

std::string escaped(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

TEST(Json, EscapesStrings) {
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

    for (const auto& row : rows) EXPECT_EQ(escaped(row.text), row.expect) << row.why;
}

TEST(Json, EveryPairOfBytesBecomesValidJson) {
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const std::string text{static_cast<char>(first), static_cast<char>(second)};
            boost::json::error_code error;
            (void)boost::json::parse(escaped(text), error);
            ASSERT_FALSE(error) << first << ' ' << second;
        }
    }
}

TEST(Json, WritesTheEndsOfIntegers) {
    std::string out;
    append_integer(out, std::numeric_limits<std::int64_t>::min());
    out += ' ';
    append_unsigned(out, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(out, "-9223372036854775808 18446744073709551615");
}

TEST(InputError, EveryCodeHasANameOfItsOwn) {
    std::set<std::string_view> names;
    constexpr auto last = static_cast<int>(InputErrorCode::malformed_encoding);
    for (int code = 0; code <= last; ++code) {
        names.insert(name(static_cast<InputErrorCode>(code)));
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
}

}  // namespace
}  // namespace firstcome::http
