// tests/app/health_rules_test.cpp - when each built-in component is down, and what it then says
#include "app/health_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::app {
namespace {

using ports::Health;
using ports::HealthStatus;
using testing::HasSubstr;
using namespace std::chrono_literals;

std::string text_of(const Health& health) {
    std::string text{name(health.status)};
    for (const ports::HealthDetail& detail : health.details) {
        text += " " + detail.name + "=";
        if (const auto* words = std::get_if<std::string>(&detail.value)) text += *words;
        if (const auto* number = std::get_if<std::int64_t>(&detail.value)) {
            text += std::to_string(*number);
        }
    }
    return text;
}

ports::Backlog waiting(std::chrono::milliseconds oldest) {
    ports::Backlog backlog;
    backlog.waiting.push_back({.stage = "orders", .lane = 0, .depth = {.pending = 3}});
    backlog.waiting.push_back(
        {.stage = "webhook", .lane = 0, .depth = {.pending = 4, .oldest_age = oldest}}
    );
    return backlog;
}

TEST(HealthOfOutbox, IsDownWhenTheOldestWaitsTooLongOrSomethingStands) {
    EXPECT_THAT(text_of(health_of_outbox(waiting(60s), {}, 60s)), HasSubstr("UP pending=7"));
    const auto late = text_of(health_of_outbox(waiting(60'001ms), {}, 60s));
    EXPECT_THAT(late, HasSubstr("DOWN reason=the oldest event has waited longer"));
    const std::vector<std::string> troubles{"an event cannot be read", "another"};
    const auto stands = text_of(health_of_outbox(waiting(0s), troubles, 60s));
    EXPECT_THAT(stands, HasSubstr("DOWN reason=an event cannot be read pending=7"));
}

TEST(HealthOfDeadLetters, IsDownOnlyAboveAConfiguredCount) {
    ports::Backlog backlog;
    backlog.dead = 5;
    EXPECT_EQ(health_of_dead_letters(backlog, 0).status, HealthStatus::up) << "0: never down";
    EXPECT_EQ(health_of_dead_letters(backlog, 5).status, HealthStatus::up);
    EXPECT_EQ(health_of_dead_letters(backlog, 4).status, HealthStatus::down);
    EXPECT_THAT(text_of(health_of_dead_letters(backlog, 0)), HasSubstr("dead=5 retrying=0"));
}

TEST(HealthOfBreakers, AnOpenOneIsUnknownUnlessItShallBeDown) {
    struct Row {
        std::string_view state;
        HealthStatus usual, strict;
    };

    const Row rows[] = {
        {"CLOSED", HealthStatus::up, HealthStatus::up},
        {"DISABLED", HealthStatus::up, HealthStatus::up},
        {"METRICS_ONLY", HealthStatus::up, HealthStatus::up},
        {"HALF_OPEN", HealthStatus::unknown, HealthStatus::unknown},
        {"OPEN", HealthStatus::unknown, HealthStatus::down},
        {"FORCED_OPEN", HealthStatus::unknown, HealthStatus::down},
    };
    for (const Row& row : rows) {
        std::vector<ports::BreakerFigures> breakers(2);
        breakers[0].name = "redis";
        breakers[0].state = row.state;
        breakers[1].name = "postgres";
        breakers[1].state = "CLOSED";
        EXPECT_EQ(health_of_breakers(breakers, false).status, row.usual) << row.state;
        EXPECT_EQ(health_of_breakers(breakers, true).status, row.strict) << row.state;
    }
}

TEST(HealthOfConservation, IsDownAtAnyDrift) {
    domain::StockFigures fine;
    fine.initial = 10;
    fine.remaining = 4;
    fine.sold = 6;
    domain::StockFigures off = fine;
    off.sold = 7;
    const std::vector<domain::StockFigures> good{fine}, bad{fine, off};
    EXPECT_EQ(text_of(health_of_conservation(good, 0)), "UP driftUnits=0 itemsOff=0 items=1");
    EXPECT_THAT(text_of(health_of_conservation(bad, 0)), HasSubstr("driftUnits=1 itemsOff=1"));
    EXPECT_EQ(health_of_conservation(bad, 0).status, HealthStatus::down);
    EXPECT_EQ(health_of_conservation(good, -2).status, HealthStatus::down) << "between the stores";
}

TEST(HealthOfStore, IsDownWithTheKindOfFault) {
    EXPECT_EQ(text_of(health_of_store(std::nullopt)), "UP");
    const auto full = text_of(health_of_store(ports::LedgerError::storage_full));
    EXPECT_THAT(full, HasSubstr("DOWN reason=the disk is full"));
    EXPECT_THAT(full, HasSubstr("fault=storage_full"));
    const auto failed = text_of(health_of_store(ports::LedgerError::unavailable));
    EXPECT_THAT(failed, HasSubstr("DOWN reason=the last order could not be written"));
}

}  // namespace
}  // namespace firstcome::app
