// tests/telemetry/breaker_families_test.cpp - breakers under the names dashboards already know
#include "telemetry/breaker_families.hpp"

#include "telemetry/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <sstream>
#include <string>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::vector<ports::BreakerFigures> two_breakers() {
    ports::BreakerFigures redis;
    redis.name = "redis";
    redis.state = "HALF_OPEN";
    redis.failure_rate = 37.5;
    redis.slow_call_rate = 25;
    redis.buffered_calls = 8;
    redis.failed_calls = 3;
    redis.slow_calls = 2;
    redis.slow_failed_calls = 1;
    redis.not_permitted_calls = 4;
    redis.not_permitted_total = 40;
    redis.successful = {.count = 100, .took = 1500ms};
    redis.failed = {.count = 30, .took = 250ms};
    redis.ignored = {.count = 2, .took = 1ms};
    ports::BreakerFigures postgres;
    postgres.name = "postgres";
    postgres.state = "CLOSED";
    return {redis, postgres};
}

/// The value of the series; empty: there is no such series.
std::string value(std::string_view series) {
    Families out;
    add_breaker_families(out, two_breakers());
    std::istringstream lines{prometheus::TextSerializer{}.Serialize(out)};
    const std::string wanted = "resilience4j_circuitbreaker_" + std::string{series} + " ";
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(wanted)) return line.substr(wanted.size());
    }
    return "";
}

TEST(BreakerFamilies, SayWhichOfTheSixStatesItIs) {
    EXPECT_EQ(value(R"(state{name="redis",state="half_open"})"), "1");
    for (const char* other : {"closed", "open", "disabled", "forced_open", "metrics_only"}) {
        EXPECT_EQ(value(R"(state{name="redis",state=")" + std::string{other} + "\"}"), "0");
    }
    EXPECT_EQ(value(R"(state{name="postgres",state="closed"})"), "1");
}

TEST(BreakerFamilies, CountCallsByHowTheyEnded) {
    EXPECT_EQ(value(R"(calls_seconds_count{name="redis",kind="successful"})"), "100");
    EXPECT_EQ(value(R"(calls_seconds_sum{name="redis",kind="successful"})"), "1.5");
    EXPECT_EQ(value(R"(calls_seconds_count{name="redis",kind="failed"})"), "30");
    EXPECT_EQ(value(R"(calls_seconds_sum{name="redis",kind="failed"})"), "0.25");
    EXPECT_EQ(value(R"(calls_seconds_count{name="redis",kind="ignored"})"), "2");
    EXPECT_EQ(value(R"(calls_seconds_count{name="postgres",kind="failed"})"), "0");
    EXPECT_EQ(value(R"(not_permitted_calls_total{name="redis",kind="not_permitted"})"), "40")
        << "since the start, not since the last change";
    EXPECT_EQ(value(R"(not_permitted_calls_total{name="postgres",kind="not_permitted"})"), "0");
}

TEST(BreakerFamilies, ShowTheWindowThatDecides) {
    EXPECT_EQ(value(R"(buffered_calls{name="redis",kind="failed"})"), "3");
    EXPECT_EQ(value(R"(buffered_calls{name="redis",kind="successful"})"), "5");
    EXPECT_EQ(value(R"(slow_calls{name="redis",kind="failed"})"), "1");
    EXPECT_EQ(value(R"(slow_calls{name="redis",kind="successful"})"), "1");
    EXPECT_EQ(value(R"(failure_rate{name="redis"})"), "37.5");
    EXPECT_EQ(value(R"(slow_call_rate{name="redis"})"), "25");
    EXPECT_EQ(value(R"(failure_rate{name="postgres"})"), "-1") << "too few calls to tell";
}

TEST(BreakerFamilies, AreThereOnlyWhereSomethingIsGuarded) {
    class StandingClock final : public base::Clock {
    public:
        [[nodiscard]] base::MonotonicTime monotonic() const override { return {}; }

        [[nodiscard]] base::WallTime wall() const override { return {}; }
    };

    const StandingClock clock;
    Metrics metrics{1, {}, clock};
    EXPECT_THAT(metrics.scrape(), Not(HasSubstr("resilience4j")));
    metrics.attach({.breakers = [] { return std::vector<ports::BreakerFigures>{}; }});
    EXPECT_THAT(metrics.scrape(), Not(HasSubstr("resilience4j")));
    metrics.attach({.breakers = two_breakers});
    EXPECT_THAT(metrics.scrape(), HasSubstr("# TYPE resilience4j_circuitbreaker_state gauge"));
    EXPECT_THAT(
        metrics.scrape(), HasSubstr("# TYPE resilience4j_circuitbreaker_calls_seconds summary")
    );
}

}  // namespace
}  // namespace firstcome::telemetry
