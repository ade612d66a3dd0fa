// tests/telemetry/alert_rules_test.cpp - which figures are worth an alert
#include "telemetry/alert_rules.hpp"

#include "tests/support/manual.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;
using ports::AlertKind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

domain::StockFigures stock(std::string_view item, domain::Units remaining, domain::Units total) {
    domain::StockFigures figures;
    figures.item = *domain::ItemId::from(item);
    figures.initial = total;
    figures.remaining = remaining;
    figures.sold = total - remaining;
    return figures;
}

/// `StockLow(shoe)`; in brackets what only holds.
std::vector<std::string> told(const std::vector<Finding>& findings) {
    std::vector<std::string> all;
    for (const Finding& each : findings) {
        std::string text{name(each.kind)};
        if (!each.subject.empty()) text += "(" + each.subject + ")";
        all.push_back(each.only_holds ? "[" + text + "]" : text);
    }
    return all;
}

class Rules : public testing::Test {
protected:
    std::vector<std::string> judge(std::chrono::milliseconds later = 1s) {
        figures.at += later;
        findings = rules.judge(figures);
        return told(findings);
    }

    /// Orders that came between two looks.
    void orders(std::uint64_t all, std::uint64_t failed) {
        figures.orders += all;
        figures.orders_failed += failed;
    }

    AlertLimits limits{.stock_low = {.percent_of = {{"hat", 50}, {"bag", 91}, {"pen", 99}}}};
    AlertRules rules{limits};
    AlertFigures figures{.at = base::MonotonicTime{100h}};
    std::vector<Finding> findings;
};

TEST_F(Rules, AreSilentWhileAllIsWell) {
    figures.items = {stock("shoe", 100, 100)};
    orders(1000, 0);
    EXPECT_THAT(judge(), IsEmpty());
}

TEST_F(Rules, StockIsLowAtATenth) {
    const struct {
        std::string_view item;
        domain::Units remaining;
        domain::Units total;
        std::vector<std::string> expect;
        std::string_view why;
    } rows[] = {
        {"shoe", 12, 100, {}, "above, and above the room between begin and end"},
        {"shoe", 11, 100, {"[StockLow(shoe)]"}, "a tenth more than the limit ends nothing yet"},
        {"shoe", 10, 100, {"StockLow(shoe)"}, "at it"},
        {"shoe", 1, 9, {}, "an eighth"},
        {"shoe", 0, 100, {"StockLow(shoe)", "StockSoldOut(shoe)"}, "nothing is low too"},
        {"shoe", 0, 0, {}, "an item that never had a unit"},
        {"hat", 50, 100, {"StockLow(hat)"}, "a limit of its own"},
        {"hat", 56, 100, {}, "and its own room"},
        {"bag", 955, 1000, {"[StockLow(bag)]"}, "half the way from the limit to full"},
        {"bag", 956, 1000, {}, "beyond it"},
        {"pen", 99, 100, {"StockLow(pen)"}, "the highest limit"},
        {"pen", 100, 100, {}, "full is never low: an alert that cannot end says nothing"},
    };

    for (const auto& row : rows) {
        figures.items = {stock(row.item, row.remaining, row.total)};
        EXPECT_EQ(judge(), row.expect) << row.why;
    }
}

TEST_F(Rules, SayWhatIsLeft) {
    figures.items = {stock("shoe", 7, 200)};
    judge();
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].summary, "7 of 200 units of shoe are left: 10 % or less");
}

TEST_F(Rules, OrdersFailTooOftenWithinTheWindow) {
    EXPECT_THAT(judge(), IsEmpty());
    orders(19, 19);
    EXPECT_THAT(judge(), IsEmpty()) << "too few to say anything";
    orders(81, 0);
    EXPECT_THAT(judge(), ElementsAre("OrderErrorRateHigh")) << "19 of 100";
    EXPECT_EQ(findings[0].summary, "19.0 % of 100 orders in 2 s failed");
    orders(280, 0);
    EXPECT_THAT(judge(), ElementsAre("[OrderErrorRateHigh]")) << "5 % is not above 5 %";
    orders(1000, 0);
    EXPECT_THAT(judge(), IsEmpty());
    orders(100, 100);
    EXPECT_THAT(judge(), ElementsAre("OrderErrorRateHigh"));
    orders(100, 0);
    EXPECT_THAT(judge(59s), ElementsAre("OrderErrorRateHigh"));
    orders(100, 0);
    EXPECT_THAT(judge(10s), IsEmpty()) << "what failed is more than a minute ago";
}

TEST_F(Rules, OrdersTakeTooLong) {
    const struct {
        double per_second;
        std::chrono::milliseconds p99;
        std::vector<std::string> expect;
        std::string_view why;
    } rows[] = {
        {100, 501ms, {"OrderLatencyHigh"}, "above the limit"},
        {100, 450ms, {"[OrderLatencyHigh]"}, "not well yet"},
        {100, 400ms, {}, "well"},
        {1.9, 900ms, {}, "19 orders in ten seconds say nothing"},
    };

    for (const auto& row : rows) {
        figures.recent_per_second = row.per_second;
        figures.latency_p99 = row.p99;
        EXPECT_EQ(judge(), row.expect) << row.why;
    }
}

TEST_F(Rules, DeadLettersGrow) {
    figures.backlog.dead = 3;
    EXPECT_THAT(judge(), IsEmpty()) << "they were there before we looked";
    figures.backlog.retrying = 1;
    EXPECT_THAT(judge(), ElementsAre("DlqGrowing"));
    EXPECT_THAT(findings[0].summary, HasSubstr("4 dead letters, 3 of them wait for a person"));
    EXPECT_THAT(judge(299s), ElementsAre("DlqGrowing"));
    EXPECT_THAT(judge(2s), IsEmpty()) << "none came for five minutes";
}

TEST_F(Rules, TheFirstDeadLetterIsSeenByTheNodeThatParkedIt) {
    EXPECT_THAT(judge(), IsEmpty());
    figures.backlog.counted = {{.action = "parked", .count = 1}, {.action = "failed", .count = 7}};
    EXPECT_THAT(judge(), IsEmpty()) << "the table is asked less often";
    figures.backlog.retrying = 1;
    EXPECT_THAT(judge(), ElementsAre("DlqGrowing"));
    figures.backlog.retrying = 0;
    EXPECT_THAT(judge(), IsEmpty()) << "delivered after all";
    figures.backlog.retrying = 1;
    EXPECT_THAT(judge(), IsEmpty()) << "seen, not parked here: the node that did tells of it";
}

TEST_F(Rules, ADeadLetterGetsOld) {
    figures.backlog.dead = 1;
    figures.backlog.oldest_age = 1h;
    EXPECT_THAT(judge(), IsEmpty());
    figures.backlog.oldest_age = 1h + 1s;
    EXPECT_THAT(judge(), ElementsAre("DlqStale"));
}

TEST_F(Rules, AnOutboxStandsStill) {
    figures.backlog.waiting = {
        {.stage = "orders", .lane = 2, .depth = {.pending = 9, .oldest_age = 31s}},
        {.stage = "orders", .lane = 3, .depth = {.pending = 9, .oldest_age = 30s}},
        {.stage = "webhook", .lane = 0, .depth = {.pending = 9, .oldest_age = 15s}},
    };
    EXPECT_THAT(judge(), ElementsAre("OutboxStalled(orders-2)", "[OutboxStalled(orders-3)]"));
}

TEST_F(Rules, ABreakerIsOpen) {
    for (const std::string_view state : ports::breaker_states) {
        figures.breakers.resize(1);
        figures.breakers[0].name = "redis";
        figures.breakers[0].state = state;
        std::vector<std::string> expect;
        if (state == "OPEN" || state == "FORCED_OPEN") expect = {"BreakerOpen(redis)"};
        if (state == "HALF_OPEN") expect = {"[BreakerOpen(redis)]"};
        EXPECT_EQ(judge(), expect) << state;
    }
}

TEST_F(Rules, StockThatStaysOffIsABrokenPromise) {
    figures.drift = -2;
    EXPECT_THAT(judge(), IsEmpty()) << "one look may see a change half made";
    figures.drift = 0;
    EXPECT_THAT(judge(), IsEmpty());
    figures.items = {stock("shoe", 50, 100)};
    figures.items[0].sold += 3;
    EXPECT_THAT(judge(), IsEmpty());
    EXPECT_THAT(judge(5s), ElementsAre("InvariantViolated"));
    EXPECT_EQ(findings[0].summary, "A promise was broken: the stock is off by 3 units");
    figures.items[0].sold -= 3;
    EXPECT_THAT(judge(9min), ElementsAre("InvariantViolated")) << "somebody should look at it";
    EXPECT_THAT(judge(2min), IsEmpty());
}

TEST_F(Rules, AViolationThatWasFoundIsToldAtOnce) {
    EXPECT_THAT(judge(), IsEmpty());
    figures.violations = 1;
    EXPECT_THAT(judge(), ElementsAre("InvariantViolated"));
    EXPECT_THAT(judge(10min), ElementsAre("InvariantViolated"));
    EXPECT_THAT(judge(), IsEmpty());
}

}  // namespace
}  // namespace firstcome::telemetry
