// tests/app/health_board_test.cpp - readers never wait, and are never told that all is well blindly
#include "app/health_board.hpp"

#include "app/health_rules.hpp"
#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>

namespace firstcome::app {
namespace {

using ports::Health;
using ports::HealthStatus;
using test::ManualClock;
using namespace std::chrono_literals;

Health of(HealthStatus status) {
    return {.status = status, .details = {}};
}

std::string reason_of(const Health& health) {
    for (const ports::HealthDetail& detail : health.details) {
        if (detail.name == "reason") return std::get<std::string>(detail.value);
    }
    return "";
}

/// Waits until it is let go; its deadline is a second.
class Hanging final : public ports::HealthIndicator {
public:
    [[nodiscard]] std::string_view name() const override { return "hanging"; }

    [[nodiscard]] std::chrono::milliseconds deadline() const override { return 1s; }

    [[nodiscard]] Health check() override {
        asked.set_value();
        go_on.get_future().wait();
        return of(HealthStatus::up);
    }

    std::promise<void> asked;
    std::promise<void> go_on;
};

std::string all_of(const HealthBoard& board) {
    const HealthView view = board.all();
    std::string text{name(view.status)};
    for (const HealthComponent& each : view.components) {
        text += " " + each.name + "=" + std::string(name(each.health.status));
    }
    return text;
}

TEST(HealthBoard, TheWorstSpeaksForAllAndUnknownForNobody) {
    const auto up = HealthStatus::up;
    const auto down = HealthStatus::down;
    const auto out = HealthStatus::out_of_service;
    const auto unknown = HealthStatus::unknown;

    struct Row {
        HealthStatus a, b, whole;
        std::string_view why;
    };

    const Row rows[] = {
        {up, up, up, "nothing is wrong"},
        {up, unknown, up, "what nobody can tell is no fault"},
        {out, up, out, "it takes no work"},
        {out, down, down, "a fault is worse than a rest"},
        {down, unknown, down, "one fault is enough"},
        {unknown, unknown, unknown, "nobody can tell at all"},
    };
    for (const Row& row : rows) {
        ManualClock clock;
        HealthBoard board{{}, clock};
        board.add(indicator("b", [&] { return of(row.b); }));
        board.add(indicator("a", [&] { return of(row.a); }));
        board.refresh();
        EXPECT_EQ(board.all().status, row.whole) << row.why;
    }
}

TEST(HealthBoard, OfNothingKnowsNothing) {
    ManualClock clock;
    const HealthBoard board{{}, clock};
    EXPECT_EQ(all_of(board), "UNKNOWN");
    EXPECT_FALSE(board.component("store"));
    EXPECT_FALSE(board.group("readiness"));
}

TEST(HealthBoard, ShowsWhatWasLastSaidUntilTheNextRound) {
    ManualClock clock;
    HealthBoard board{{}, clock};
    HealthStatus now = HealthStatus::up;
    board.add(indicator("store", [&] { return of(now); }));
    EXPECT_EQ(all_of(board), "UNKNOWN store=UNKNOWN") << "not asked yet";
    board.refresh();
    now = HealthStatus::down;
    EXPECT_EQ(all_of(board), "UP store=UP");
    board.refresh();
    EXPECT_EQ(all_of(board), "DOWN store=DOWN");
}

TEST(HealthBoard, AStateIsLookedAtByTheReaderItself) {
    ManualClock clock;
    HealthBoard board{{}, clock};
    HealthStatus now = HealthStatus::out_of_service;
    board.add_state("readinessState", [&] { return now; });
    EXPECT_EQ(all_of(board), "OUT_OF_SERVICE readinessState=OUT_OF_SERVICE");
    now = HealthStatus::up;
    EXPECT_EQ(all_of(board), "UP readinessState=UP");
}

TEST(HealthBoard, AGroupIsWhatItsMembersComeToAndLeavesOutWhoIsNotHere) {
    ManualClock clock;
    HealthBoard board{{}, clock};
    board.add(indicator("store", [] { return of(HealthStatus::up); }));
    board.add(indicator("diskSpace", [] { return of(HealthStatus::down); }));
    board.add_group({.name = "checkout", .components = {"store", "redis"}});
    board.refresh();
    const auto group = board.group("checkout");
    ASSERT_TRUE(group);
    EXPECT_EQ(group->status, HealthStatus::up);
    ASSERT_EQ(group->components.size(), 1U);
    EXPECT_EQ(group->components[0].name, "store");
}

TEST(HealthBoard, OneThatHangsIsDownWithItsReasonAndNoReaderWaits) {
    ManualClock clock;
    HealthBoard board{{.every = 5s}, clock};
    auto made = std::make_unique<Hanging>();
    Hanging& hanging = *made;
    board.add(std::move(made));
    board.add(indicator("after", [] { return of(HealthStatus::up); }));
    std::thread asking{[&] { board.refresh(); }};
    hanging.asked.get_future().wait();

    EXPECT_EQ(all_of(board), "UP after=UP hanging=UNKNOWN") << "it has its deadline";
    clock.pass(1s + 251ms);
    EXPECT_EQ(all_of(board), "DOWN after=UP hanging=DOWN");
    EXPECT_EQ(reason_of(*board.component("hanging")), "the check has not answered for 1.2 s");
    clock.pass(60s);
    EXPECT_EQ(all_of(board), "DOWN after=UNKNOWN hanging=DOWN") << "too old to be repeated";

    hanging.go_on.set_value();
    asking.join();
    EXPECT_EQ(all_of(board), "UP after=UNKNOWN hanging=UP") << "its turn comes with the next round";
}

TEST(HealthBoard, KnowsWhoWaitsForNothingAsSoonAsItHasStarted) {
    ManualClock clock;
    HealthBoard board{{.every = 10min}, clock};
    std::atomic<int> asked{0};
    board.add(indicator("store", [&] {
        ++asked;
        return of(HealthStatus::up);
    }));
    board.start();
    EXPECT_EQ(all_of(board), "UP store=UP");
    board.stop();
    EXPECT_GE(asked.load(), 1);
}

}  // namespace
}  // namespace firstcome::app
