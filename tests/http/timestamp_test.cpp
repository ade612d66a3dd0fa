// tests/http/timestamp_test.cpp - RFC 3339, both ways
#include "http/timestamp.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace firstcome::http {
namespace {

std::string written(base::WallTime time) {
    std::array<char, timestamp_size> text;
    EXPECT_EQ(write_timestamp(text.data(), time), text.data() + text.size());
    return {text.data(), text.size()};
}

TEST(Timestamp, ReadsWhatRfc3339Allows) {
    const struct {
        const char* text;
        const char* expect;
        const char* why;
    } rows[] = {
        {"2026-11-22T11:26:00Z", "2026-11-22T11:26:00.000Z", "the plain case"},
        {"2026-11-22t11:26:00z", "2026-11-22T11:26:00.000Z", "lower case"},
        {"2026-11-22T11:26:00.1Z", "2026-11-22T11:26:00.100Z", "one digit"},
        {"2026-11-22T11:26:00.123999999999Z", "2026-11-22T11:26:00.123Z", "finer is cut off"},
        {"2026-11-22T20:26:00+09:00", "2026-11-22T11:26:00.000Z", "Seoul"},
        {"2026-11-22T00:26:00+09:00", "2026-11-21T15:26:00.000Z", "the day before in UTC"},
        {"2026-11-22T06:26:00-05:00", "2026-11-22T11:26:00.000Z", "New York"},
        {"2026-11-22T11:26:00-00:00", "2026-11-22T11:26:00.000Z", "zone unknown"},
        {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z", "a leap day"},
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", "the first"},
        {"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z", "the last"},
    };

    for (const auto& row : rows) {
        const auto time = parse_timestamp(row.text);
        ASSERT_TRUE(time) << row.why;
        EXPECT_EQ(written(*time), row.expect) << row.why;
    }
}

TEST(Timestamp, RefusesTheRest) {
    const struct {
        const char* text;
        const char* why;
    } rows[] = {
        {"", "nothing"},
        {"2026-11-22", "no time"},
        {"2026-11-22T11:26:00", "no zone"},
        {"2026-11-22T11:26Z", "no seconds"},
        {"2026-11-22 11:26:00Z", "a space for the T"},
        {"2026-11-22T11:26:00.Z", "no digit after the point"},
        {"2026-11-22T11:26:00,5Z", "a comma"},
        {"2026-11-22T11:26:00+0900", "no colon in the zone"},
        {"2026-11-22T11:26:00+09", "half a zone"},
        {"2026-11-22T11:26:00+24:00", "zone hour"},
        {"2026-11-22T11:26:00+09:60", "zone minute"},
        {"2026-11-22T24:00:00Z", "hour 24"},
        {"2026-11-22T11:60:00Z", "minute 60"},
        {"2026-11-22T11:26:60Z", "a leap second"},
        {"2026-13-01T00:00:00Z", "month 13"},
        {"2026-00-01T00:00:00Z", "month 0"},
        {"2026-11-31T00:00:00Z", "day 31 of 30"},
        {"2026-02-29T00:00:00Z", "no leap year"},
        {"26-11-22T11:26:00Z", "two-digit year"},
        {"2026-11-22T11:26:00Z ", "trailing space"},
        {"2026-11-22T11:26:00ZZ", "two zones"},
        {"+2026-11-22T11:26:00Z", "a sign"},
        {"1969-12-31T23:59:59Z", "before 1970"},
        {"1970-01-01T00:00:00+00:01", "before 1970 in UTC"},
        {"9999-12-31T23:59:59-00:01", "after 9999 in UTC"},
    };

    for (const auto& row : rows) EXPECT_FALSE(parse_timestamp(row.text)) << row.why;
}

TEST(Timestamp, WritesWhatLiesOutsideAsTheNearest) {
    EXPECT_EQ(written(base::WallTime::min()), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(written(base::WallTime::max()), "9999-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace firstcome::http
