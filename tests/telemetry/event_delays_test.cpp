// tests/telemetry/event_delays_test.cpp - from an event's happening to its arrival
#include "telemetry/event_delays.hpp"

#include "tests/telemetry/series.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr base::WallTime noon{std::chrono::hours{12}};

std::vector<domain::Event> happened(std::vector<std::chrono::milliseconds> ago) {
    std::vector<domain::Event> events(ago.size());
    for (std::size_t at = 0; at < ago.size(); ++at) events[at].occurred_at = noon - ago[at];
    return events;
}

class EventDelaysTest : public testing::Test {
protected:
    [[nodiscard]] std::string value(std::string_view part, std::string_view labels) const {
        Families out;
        delays_.add_family(out);
        return value_in(
            out,
            "firstcome_event_delay_seconds" + std::string{part} + '{' + std::string{labels} + '}'
        );
    }

    EventDelays delays_;
};

TEST_F(EventDelaysTest, AreThereForEachStageBeforeAnythingHappened) {
    for (const char* stage : {R"(stage="orders")", R"(stage="webhook")"}) {
        EXPECT_EQ(value("_count", stage), "0");
        EXPECT_EQ(value("_sum", stage), "0");
    }
}

TEST_F(EventDelaysTest, CountEachEventOfItsStage) {
    delays_.add("orders", happened({0ms, 1ms, 30ms, 7000ms}), noon);
    delays_.add("orders", happened({2h}), noon);
    delays_.add("webhook", happened({10ms}), noon);
    EXPECT_EQ(value("_count", R"(stage="orders")"), "5");
    EXPECT_EQ(value("_sum", R"(stage="orders")"), "7207.031");
    EXPECT_EQ(value("_bucket", R"(stage="orders",le="0.001")"), "2") << "le: or equal";
    EXPECT_EQ(value("_bucket", R"(stage="orders",le="0.05")"), "3");
    EXPECT_EQ(value("_bucket", R"(stage="orders",le="10")"), "4");
    EXPECT_EQ(value("_bucket", R"(stage="orders",le="3600")"), "4");
    EXPECT_EQ(value("_bucket", R"(stage="orders",le="+Inf")"), "5");
    EXPECT_EQ(value("_count", R"(stage="webhook")"), "1");
}

TEST_F(EventDelaysTest, TakeAnEventFromTheFutureForOneOfNow) {
    delays_.add("webhook", happened({-5000ms}), noon);
    EXPECT_EQ(value("_bucket", R"(stage="webhook",le="0.001")"), "1");
    EXPECT_EQ(value("_sum", R"(stage="webhook")"), "0");
}

}  // namespace
}  // namespace firstcome::telemetry
