// tests/telemetry/alert_board_test.cpp - one alert per crossing, with a begin and an end
#include "telemetry/alert_board.hpp"

#include "tests/support/manual.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;
using ports::Alert;
using ports::AlertKind;
using testing::IsEmpty;
using testing::SizeIs;

Finding low(std::string_view item, bool only_holds = false) {
    return {
        .kind = AlertKind::stock_low,
        .subject = std::string{item},
        .summary = "low",
        .only_holds = only_holds};
}

Finding of(AlertKind kind) {
    return {.kind = kind, .subject = {}, .summary = "bad"};
}

class Board : public testing::Test {
protected:
    /// A look, so much later.
    std::vector<Alert> look(
        const std::vector<Finding>& findings, std::chrono::milliseconds later = 1s
    ) {
        clock.pass(later);
        return board.look(findings, clock.monotonic(), clock.wall());
    }

    test::ManualClock clock;
    AlertBoard board{"shop-1:8080"};
};

TEST_F(Board, AnAlertBeginsAndEndsOnce) {
    EXPECT_THAT(look({low("shoe")}), IsEmpty());
    const auto began = clock.wall();
    ASSERT_THAT(board.firing(), SizeIs(1));
    EXPECT_EQ(board.firing()[0].subject, "shoe");
    EXPECT_EQ(board.firing()[0].starts_at, began);
    EXPECT_EQ(board.firing()[0].instance, "") << "every node says the same of an item";

    EXPECT_THAT(look({low("shoe")}), IsEmpty());
    EXPECT_EQ(board.firing()[0].starts_at, began) << "still the same one";

    const auto over = look({});
    ASSERT_THAT(over, SizeIs(1));
    EXPECT_EQ(over[0].starts_at, began);
    EXPECT_EQ(over[0].ends_at, clock.wall());
    EXPECT_THAT(board.firing(), IsEmpty());
    EXPECT_THAT(look({}), IsEmpty()) << "over once";
}

TEST_F(Board, ASecondCrossingIsAnotherAlert) {
    look({low("shoe")});
    const auto first = board.firing()[0].starts_at;
    look({});
    look({low("shoe")});
    EXPECT_GT(board.firing()[0].starts_at, first);
}

TEST_F(Board, WhatOnlyHoldsNeitherBeginsNorEnds) {
    look({low("shoe", true)});
    EXPECT_THAT(board.firing(), IsEmpty());
    look({low("shoe")});
    EXPECT_THAT(look({low("shoe", true)}), IsEmpty());
    EXPECT_THAT(board.firing(), SizeIs(1));
    EXPECT_THAT(look({}), SizeIs(1));
}

TEST_F(Board, KeepsTheNewestWords) {
    look({low("shoe")});
    Finding later = low("shoe");
    later.summary = "lower";
    look({later});
    EXPECT_EQ(board.firing()[0].summary, "lower");
}

TEST_F(Board, WaitsBeforeItBeginsAndBeforeItEnds) {
    for (const AlertKind kind : ports::alert_kinds) {
        SCOPED_TRACE(name(kind));
        const AlertPatience wait = patience(kind);
        if (wait.before > 0ms) {
            look({of(kind)});
            EXPECT_THAT(board.firing(), IsEmpty());
            look({of(kind)}, wait.before - 1ms);
            EXPECT_THAT(board.firing(), IsEmpty());
        }
        look({of(kind)});
        EXPECT_THAT(board.firing(), SizeIs(1));
        if (wait.after > 0ms) {
            EXPECT_THAT(look({}, wait.after - 1ms), IsEmpty()) << "it may come back at once";
            EXPECT_THAT(look({of(kind)}, 1ms), IsEmpty());
        }
        EXPECT_THAT(look({}, wait.after + 1ms), SizeIs(1));
    }
}

TEST_F(Board, SomethingThatPassesByItselfNeverBegins) {
    look({of(AlertKind::order_latency_high)});
    look({});
    look({of(AlertKind::order_latency_high)}, patience(AlertKind::order_latency_high).before);
    EXPECT_THAT(board.firing(), IsEmpty()) << "the wait began anew";
}

TEST_F(Board, NamesTheNodeWhereItIsAboutOne) {
    std::vector<Finding> all;
    for (const AlertKind kind : ports::alert_kinds) all.push_back(of(kind));
    look(all);
    look(all, 10s);
    ASSERT_THAT(board.firing(), SizeIs(ports::alert_kinds.size()));
    std::set<std::string_view> names;
    for (const Alert& alert : board.firing()) {
        EXPECT_EQ(alert.instance, is_of_node(alert.kind) ? "shop-1:8080" : "");
        EXPECT_FALSE(severity(alert.kind).empty());
        EXPECT_FALSE(is_of_node(alert.kind) && found_by_all(alert.kind));
        names.insert(name(alert.kind));
    }
    EXPECT_THAT(names, SizeIs(ports::alert_kinds.size())) << "no two of one name";
}

TEST_F(Board, HasABound) {
    std::vector<Finding> many;
    for (std::size_t at = 0; at < AlertBoard::alerts_max + 3; ++at) {
        many.push_back(low("item-" + std::to_string(at)));
    }
    look(many);
    EXPECT_THAT(board.firing(), SizeIs(AlertBoard::alerts_max));
    EXPECT_EQ(board.suppressed(), 3U);
}

}  // namespace
}  // namespace firstcome::telemetry
