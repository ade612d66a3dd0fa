// tests/telemetry/alert_outlet_test.cpp - what one receiver is told, and when
#include "telemetry/alert_outlet.hpp"

#include "tests/support/manual.hpp"
#include "tests/telemetry/alert_receivers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;
using ports::Alert;
using ports::AlertKind;
using testing::ElementsAre;
using testing::IsEmpty;

Alert low(std::string item) {
    Alert alert;
    alert.subject = std::move(item);
    return alert;
}

Alert over(Alert alert) {
    alert.ends_at = base::WallTime{1s};
    return alert;
}

class Outlet : public testing::Test {
protected:
    AlertOutlet& make(OutletOptions options) {
        options.name = "test";
        outlet_ = std::make_unique<AlertOutlet>(
            std::move(options), std::make_unique<test::TestAlertReceiver>(heard), clock
        );
        return *outlet_;
    }

    test::ManualClock clock;
    test::HeardAlerts heard;

private:
    std::unique_ptr<AlertOutlet> outlet_;
};

TEST_F(Outlet, TellsOnceWhatBeginsAndWhatEnds) {
    AlertOutlet& outlet = make({});
    const std::vector<Alert> firing{low("shoe"), low("hat")};
    for (int look = 0; look < 3; ++look) {
        outlet.offer(firing, {});
        outlet.step();
        clock.pass(1h);
    }
    outlet.offer(std::vector{low("hat")}, std::vector{over(low("shoe"))});
    outlet.step();
    EXPECT_THAT(
        heard.calls,
        ElementsAre(ElementsAre("StockLow(hat)", "StockLow(shoe)"), ElementsAre("-StockLow(shoe)"))
    ) << "several in one call";
    EXPECT_EQ(outlet.counts().told, 3U);
}

TEST_F(Outlet, RepeatsWhatGoesOnWhereThatIsTheCustom) {
    AlertOutlet& outlet = make({.repeat = 60s});
    const std::vector<Alert> firing{low("shoe")};
    for (int second = 0; second <= 120; ++second) {
        outlet.offer(firing, {});
        outlet.step();
        clock.pass(1s);
    }
    EXPECT_EQ(heard.calls.size(), 3U) << "at 0, 60 and 120 s";
}

TEST_F(Outlet, TriesAgainWithBackoffUntilItIsTold) {
    AlertOutlet& outlet = make({.backoff = 500ms, .backoff_max = 1500ms});
    for (int times = 0; times < 4; ++times) {
        heard.faults.push_back({.text = "refused", .passing = true});
    }
    outlet.offer(std::vector{low("shoe")}, {});
    EXPECT_EQ(outlet.step(), 500ms);
    EXPECT_EQ(outlet.step(), 1000ms);
    EXPECT_EQ(outlet.step(), 1500ms);
    EXPECT_EQ(outlet.step(), 1500ms);
    EXPECT_EQ(outlet.counts().waiting, 1U);
    EXPECT_EQ(outlet.step(), 0ms);
    EXPECT_THAT(heard.calls, ElementsAre(ElementsAre("StockLow(shoe)")));
    EXPECT_EQ(outlet.counts().failed, 4U);
    EXPECT_EQ(outlet.counts().waiting, 0U);
}

TEST_F(Outlet, ForgetsWhatAReceiverWillNeverTake) {
    AlertOutlet& outlet = make({});
    heard.faults.push_back({.text = "400", .passing = false});
    outlet.offer(std::vector{low("shoe")}, {});
    outlet.step();
    outlet.step();
    EXPECT_THAT(heard.calls, IsEmpty());
    EXPECT_EQ(outlet.counts().refused, 1U);
}

TEST_F(Outlet, AReceiverThatWasAwayHearsTheNewestOnly) {
    AlertOutlet& outlet = make({});
    heard.faults.push_back({.text = "away", .passing = true});
    outlet.offer(std::vector{low("shoe"), low("hat")}, {});
    outlet.step();
    outlet.offer(std::vector{low("hat")}, std::vector{over(low("shoe"))});
    outlet.step();
    EXPECT_THAT(heard.calls, ElementsAre(ElementsAre("StockLow(hat)", "-StockLow(shoe)")));
}

TEST_F(Outlet, WhatHasNoRoomIsOfferedAgain) {
    AlertOutlet& outlet = make({.waiting_max = 2, .batch_max = 1});
    const std::vector<Alert> firing{low("a"), low("b"), low("c")};
    outlet.offer(firing, {});
    EXPECT_EQ(outlet.counts().waiting, 2U);
    for (int look = 0; look < 3; ++look) {
        outlet.step();
        outlet.offer(firing, {});
    }
    EXPECT_THAT(
        heard.calls,
        ElementsAre(
            ElementsAre("StockLow(a)"), ElementsAre("StockLow(b)"), ElementsAre("StockLow(c)")
        )
    );
    outlet.offer({}, std::vector{over(low("a")), over(low("b")), over(low("c"))});
    EXPECT_EQ(outlet.counts().dropped, 1U) << "an end cannot be offered again";
}

TEST_F(Outlet, TellsOnlyWhatIsItsOwnToTell) {
    bool leads = false;
    AlertOutlet& outlet = make({.ours = [&](const Alert&) { return leads; }});
    const std::vector<Alert> firing{low("shoe")};
    outlet.offer(firing, {});
    outlet.step();
    EXPECT_THAT(heard.calls, IsEmpty()) << "another node tells of it";
    leads = true;
    outlet.offer(firing, {});
    outlet.step();
    EXPECT_THAT(heard.calls, ElementsAre(ElementsAre("StockLow(shoe)"))) << "that node is gone";
    leads = false;
    outlet.offer({}, std::vector{over(low("shoe"))});
    outlet.step();
    EXPECT_EQ(heard.calls.size(), 2U) << "who said that it began says that it is over";
}

TEST_F(Outlet, EndsWhileTheReceiverIsAway) {
    AlertOutlet& outlet = make({.backoff = 1h, .backoff_max = 1h});
    heard.faults.push_back({.text = "away", .passing = true});
    outlet.start();
    outlet.offer(std::vector{low("shoe")}, {});
    outlet.stop();
}

}  // namespace
}  // namespace firstcome::telemetry
