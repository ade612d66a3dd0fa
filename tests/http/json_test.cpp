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

TEST(Json, EveryPairOfBytesBecomesValidJson) {
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const std::string text{static_cast<char>(first), static_cast<char>(second)};
            boost::json::error_code error;
            (void)boost::json::parse(base::json_string(text), error);
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
    constexpr auto last = static_cast<int>(InputErrorCode::invalid_character);
    for (int code = 0; code <= last; ++code) {
        names.insert(name(static_cast<InputErrorCode>(code)));
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
}

}  // namespace
}  // namespace firstcome::http
