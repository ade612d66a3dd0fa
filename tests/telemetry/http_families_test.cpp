// tests/telemetry/http_families_test.cpp - the engine's counters and the limiter's rows
#include "telemetry/http_families.hpp"

#include "tests/telemetry/series.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::telemetry {
namespace {

std::string value(const HttpStats& stats, std::string_view series) {
    Families out;
    add_http_families(out, stats);
    return value_in(out, series);
}

TEST(HttpFamilies, ShowWhatTheEngineCounts) {
    const HttpStats stats{
        .connections_open = 1,
        .connections_total = 2,
        .connections_refused_total = 3,
        .connections_displaced_total = 11,
        .accept_pauses_total = 4,
        .malformed_requests_total = 5,
        .deadline_closes_total = 6,
        .reply_timeouts_total = 7,
        .stale_answers_total = 8,
        .read_bytes_total = 9,
        .written_bytes_total = 10,
    };
    EXPECT_EQ(value(stats, "firstcome_http_connections"), "1");
    EXPECT_EQ(value(stats, "firstcome_http_connections_accepted_total"), "2");
    EXPECT_EQ(value(stats, "firstcome_http_connections_refused_total"), "3");
    EXPECT_EQ(value(stats, "firstcome_http_connections_displaced_total"), "11");
    EXPECT_EQ(value(stats, "firstcome_http_accept_pauses_total"), "4");
    EXPECT_EQ(value(stats, "firstcome_http_malformed_requests_total"), "5");
    EXPECT_EQ(value(stats, "firstcome_http_deadline_closes_total"), "6");
    EXPECT_EQ(value(stats, "firstcome_http_reply_timeouts_total"), "7");
    EXPECT_EQ(value(stats, "firstcome_http_stale_answers_total"), "8");
    EXPECT_EQ(value(stats, "firstcome_http_read_bytes_total"), "9");
    EXPECT_EQ(value(stats, "firstcome_http_written_bytes_total"), "10");
}

TEST(HttpFamilies, CallARareStatusUnknown) {
    HttpStats stats{.bounds_seconds = {0.1}};
    stats.requests.push_back({.method = "GET", .route = "/x", .status = 0, .buckets = {1, 0}});
    const std::string labels = R"({method="GET",uri="/x",status="UNKNOWN",outcome="UNKNOWN"})";
    EXPECT_EQ(value(stats, "http_server_requests_seconds_count" + labels), "1");
}

TEST(RateLimitFamily, ShowsTheLimitersRows) {
    const RateLimitCount rows[] = {{.policy = "ip", .decision = "limited", .count = 12}};
    Families out;
    add_rate_limit_family(out, rows);
    const std::string family = "firstcome_ratelimit_total";
    EXPECT_EQ(value_in(out, family + R"({policy="ip",decision="limited"})"), "12");
    EXPECT_EQ(value_in(out, family + R"({policy="user",decision="allowed"})"), "");
}

}  // namespace
}  // namespace firstcome::telemetry
