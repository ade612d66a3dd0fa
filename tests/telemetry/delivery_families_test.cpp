// tests/telemetry/delivery_families_test.cpp - what waits, what was refused, what relays do
#include "telemetry/delivery_families.hpp"

#include "tests/telemetry/series.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;

ports::Backlog some_backlog() {
    ports::Backlog backlog;
    backlog.waiting = {
        {.stage = "orders", .lane = 0, .depth = {.pending = 7, .oldest_age = 1500ms}},
        {.stage = "orders", .lane = 1, .depth = {}},
        {.stage = "webhook", .lane = 0, .depth = {.pending = 5, .oldest_age = 250ms}},
    };
    backlog.retrying = 2;
    backlog.dead = 3;
    backlog.oldest_age = 90s;
    backlog.counted = {
        {.action = "parked", .cause = ports::Cause::invalid, .count = 11},
        {.action = "resolved", .cause = ports::Cause::duplicate, .count = 0},
    };
    return backlog;
}

std::string value(std::string_view series, const ports::Backlog& backlog = some_backlog()) {
    Families out;
    add_backlog_families(out, backlog);
    return value_in(out, series);
}

TEST(BacklogFamilies, SumUpAllLinesAndShowEach) {
    EXPECT_EQ(value("firstcome_outbox_pending"), "12");
    EXPECT_EQ(value("firstcome_outbox_oldest_age_seconds"), "1.5") << "of the oldest line";
    EXPECT_EQ(value(R"(firstcome_outbox_line_pending{stage="orders",lane="0"})"), "7");
    EXPECT_EQ(value(R"(firstcome_outbox_line_pending{stage="orders",lane="1"})"), "0");
    const std::string ages = "firstcome_outbox_line_oldest_age_seconds";
    EXPECT_EQ(value(ages + R"({stage="webhook",lane="0"})"), "0.25");
    EXPECT_EQ(value(ages + R"({stage="orders",lane="1"})"), "0");
}

TEST(BacklogFamilies, ShowDeadLettersByStatusActionAndCause) {
    EXPECT_EQ(value("firstcome_dlq_depth"), "5");
    EXPECT_EQ(value(R"(firstcome_dlq_entries{status="retrying"})"), "2");
    EXPECT_EQ(value(R"(firstcome_dlq_entries{status="dead"})"), "3");
    EXPECT_EQ(value("firstcome_dlq_oldest_age_seconds"), "90");
    const std::string events = "firstcome_dlq_events_total";
    EXPECT_EQ(value(events + R"({action="parked",cause="invalid"})"), "11");
    EXPECT_EQ(value(events + R"({action="resolved",cause="duplicate"})"), "0");
}

TEST(BacklogFamilies, AreZeroWhereNothingIsDelivered) {
    const ports::Backlog nothing;
    EXPECT_EQ(value("firstcome_outbox_pending", nothing), "0");
    EXPECT_EQ(value("firstcome_outbox_oldest_age_seconds", nothing), "0");
    EXPECT_EQ(value("firstcome_dlq_depth", nothing), "0");
    EXPECT_EQ(value("firstcome_dlq_oldest_age_seconds", nothing), "0");
}

TEST(RelayFamilies, ShowAllRelaysOfAStageAsOne) {
    RelayFigures first{.stage = "orders", .batches = 1, .sink_calls = 2, .delivered = 30};
    first.transient[0] = 4;  // unavailable
    first.outbox_faults = 5;
    first.backoff = 100ms;
    RelayFigures second{.stage = "orders", .batches = 10, .sink_calls = 20, .delivered = 300};
    second.park_faults = 6;
    second.backoff = 2500ms;
    const RelayFigures relays[] = {first, second};
    Families out;
    add_relay_families(out, relays);
    EXPECT_EQ(value_in(out, R"(firstcome_relay_delivered_total{stage="orders"})"), "330");
    EXPECT_EQ(value_in(out, R"(firstcome_relay_batches_total{stage="orders"})"), "11");
    EXPECT_EQ(value_in(out, R"(firstcome_relay_sink_calls_total{stage="orders"})"), "22");
    EXPECT_EQ(value_in(out, R"(firstcome_relay_backoff_seconds{stage="orders"})"), "2.5");
    const auto failures = [&](std::string_view stage, std::string_view reason) {
        const std::string labels =
            "stage=\"" + std::string{stage} + "\",reason=\"" + std::string{reason} + '"';
        return value_in(out, "firstcome_relay_failures_total{" + labels + '}');
    };
    EXPECT_EQ(failures("orders", "unavailable"), "4");
    EXPECT_EQ(failures("orders", "overloaded"), "0");
    EXPECT_EQ(failures("orders", "conflict"), "0");
    EXPECT_EQ(failures("orders", "outbox"), "5");
    EXPECT_EQ(failures("orders", "park"), "6");
    EXPECT_EQ(failures("orders", "invalid"), "") << "a refusal is no fault of the relay";
    EXPECT_EQ(failures("webhook", "unavailable"), "0") << "a stage that is not there has zeros";
}

}  // namespace
}  // namespace firstcome::telemetry
