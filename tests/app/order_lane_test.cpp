// tests/app/order_lane_test.cpp - every order gets exactly one answer, in the order of arrival
#include "app/order_lane.hpp"

#include "tests/app/world.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <string>
#include <thread>

namespace firstcome::app {
namespace {

using test::Gate;
using test::KeepingSink;
using test::LaneWorld;
using namespace std::chrono_literals;

using Said = std::vector<std::pair<std::uint64_t, std::string>>;

TEST(OrderLane, AnswersEachOnceInTheOrderOfArrival) {
    LaneWorld world{{.shard = 3, .queue_capacity = 64, .batch_size_max = 4}};
    Gate gate;
    world.start_held(gate);
    for (std::uint64_t ticket = 1; ticket <= 10; ++ticket) {
        ASSERT_TRUE(world.submit({.user = "ann"}, ticket));
    }
    gate.open();
    world.lane.close_and_drain();
    Said expected;
    for (std::uint64_t ticket = 1; ticket <= 10; ++ticket) {
        expected.emplace_back(ticket, "accepted " + std::to_string(ticket));
    }
    EXPECT_EQ(world.sink.said(), expected);
    EXPECT_EQ(world.recording.batches, (std::vector<std::size_t>{4, 4, 2}));
    EXPECT_EQ(world.sink.deliveries(), 3) << "one wake-up a batch, whatever its size";
}

TEST(OrderLane, TellsTheObserverOncePerBatch) {
    LaneWorld world{{.shard = 3, .queue_capacity = 64, .batch_size_max = 4}};
    Gate gate;
    world.start_held(gate);
    ASSERT_TRUE(world.submit({}, 1));
    world.clock.pass(250ms);
    for (std::uint64_t ticket = 2; ticket <= 6; ++ticket) ASSERT_TRUE(world.submit({}, ticket));
    gate.open();
    world.lane.close_and_drain();
    const auto& kept = world.observer.kept;
    ASSERT_EQ(kept.size(), 2U);
    EXPECT_EQ(kept[0].shard, 3U);
    EXPECT_EQ(kept[0].size, 4U);
    EXPECT_EQ(kept[0].outcomes, 4U);
    EXPECT_EQ(kept[0].queue_wait_oldest, 250ms);
    EXPECT_EQ(kept[1].size, 2U);
    EXPECT_EQ(kept[1].queue_wait_oldest, 0ms);
}

TEST(OrderLane, EachSinkGetsItsOwnAnswersTogether) {
    LaneWorld world;
    KeepingSink other;
    Gate gate;
    world.start_held(gate);
    for (std::uint64_t ticket = 1; ticket <= 6; ++ticket) {
        ASSERT_TRUE(world.submit({}, ticket, ticket % 2 == 0 ? other : world.sink));
    }
    gate.open();
    world.lane.close_and_drain();
    EXPECT_EQ(world.sink.said(), (Said{{1, "accepted 1"}, {3, "accepted 3"}, {5, "accepted 5"}}));
    EXPECT_EQ(other.said(), (Said{{2, "accepted 2"}, {4, "accepted 4"}, {6, "accepted 6"}}));
    EXPECT_EQ(other.deliveries(), 1);
}

TEST(OrderLane, WorkBetweenOrdersRunsJustThere) {
    LaneWorld world;
    Gate gate;
    world.start_held(gate);
    std::vector<domain::Units> seen;
    const auto look = [&seen](ports::OrderLedger& ledger) {
        seen.push_back(ledger.stock(test::item("hat"))->remaining);
    };
    const auto set_hats = [](domain::Units units) {
        return [units](ports::OrderLedger& ledger) {
            EXPECT_TRUE(ledger.change_stock(test::stock_set("hat", units)).has_value());
        };
    };
    ASSERT_TRUE(world.submit({.item = "hat"}, 1));
    ASSERT_TRUE(world.lane.run_on_lane(set_hats(2)));
    ASSERT_TRUE(world.submit({.item = "hat"}, 2));
    ASSERT_TRUE(world.lane.run_on_lane(look));
    ASSERT_TRUE(world.submit({.item = "hat"}, 3));
    ASSERT_TRUE(world.submit({.item = "hat"}, 4));
    ASSERT_TRUE(world.lane.run_on_lane(look));
    ASSERT_TRUE(world.lane.run_on_lane(set_hats(3)));
    ASSERT_TRUE(world.submit({.item = "hat"}, 5));
    gate.open();
    world.lane.close_and_drain();
    EXPECT_EQ(
        world.sink.said(),
        (Said{
            {1, "item_not_found"},
            {2, "accepted 1"},
            {3, "accepted 2"},
            {4, "sold_out"},
            {5, "accepted 3"}})
    );
    EXPECT_EQ(seen, (std::vector<domain::Units>{1, 0}));
}

TEST(OrderLane, AFaultIsToldToTheWholeBatchAndLeavesNothingBehind) {
    for (const auto error :
         {ports::LedgerError::unavailable,
          ports::LedgerError::storage_full,
          ports::LedgerError::outcome_unknown}) {
        LaneWorld world;
        Gate gate;
        world.start_held(gate);
        world.memory.fail_next(error);
        ASSERT_TRUE(world.submit({.key = "k"}, 1));
        ASSERT_TRUE(world.submit({.item = "ghost"}, 2));
        ASSERT_TRUE(world.lane.run_on_lane([](ports::OrderLedger&) {}));
        ASSERT_TRUE(world.submit({.key = "k"}, 3));
        gate.open();
        world.lane.close_and_drain();
        const std::string fault{name(error)};
        EXPECT_EQ(world.sink.said(), (Said{{1, fault}, {2, fault}, {3, "accepted 1"}}));
        ASSERT_EQ(world.observer.kept.size(), 2U);
        EXPECT_EQ(world.observer.kept[0].result, std::unexpected(error));
        EXPECT_EQ(world.observer.kept[0].size, 2U);
        EXPECT_EQ(world.observer.kept[0].outcomes, 0U) << "no outcome may be told";
        EXPECT_TRUE(world.observer.kept[1].result.has_value());
    }
}

TEST(OrderLane, TakesWhatFitsAndAnswersOnlyThat) {
    LaneWorld world{{.shard = 0, .queue_capacity = 3, .batch_size_max = 8}};
    Gate gate;
    world.start_held(gate);
    for (std::uint64_t ticket = 1; ticket <= 5; ++ticket) {
        EXPECT_EQ(world.submit({}, ticket), ticket <= 3) << ticket;
    }
    EXPECT_EQ(world.lane.queue_depth(), 3U);
    EXPECT_GE(world.lane.queue_full_count(), 1U);
    EXPECT_FALSE(world.lane.run_on_lane([](ports::OrderLedger&) { FAIL(); }));
    gate.open();
    world.lane.close_and_drain();
    EXPECT_EQ(world.sink.said(), (Said{{1, "accepted 1"}, {2, "accepted 2"}, {3, "accepted 3"}}));
}

TEST(OrderLane, AClosedLaneTakesNothingMore) {
    LaneWorld world;
    world.lane.start();
    world.lane.close_and_drain();
    EXPECT_FALSE(world.submit({}, 1));
    EXPECT_FALSE(world.lane.run_on_lane([](ports::OrderLedger&) { FAIL(); }));
    world.lane.close_and_drain();
    EXPECT_TRUE(world.sink.said().empty());
}

TEST(OrderLane, BeatsWhileItWorksAndRestsWithoutWork) {
    LaneWorld world;
    Gate gate;
    world.clock.pass(5s);
    world.start_held(gate);
    EXPECT_TRUE(world.lane.busy());
    EXPECT_EQ(world.lane.last_beat(), world.clock.monotonic());
    gate.open();
    world.lane.close_and_drain();
    EXPECT_FALSE(world.lane.busy());
}

TEST(OrderLane, BeatsBeforeEachPieceOfABatch) {
    LaneWorld world;
    Gate first;
    Gate last;
    world.start_held(first);
    const auto slow = [&world](ports::OrderLedger&) { world.clock.pass(4s); };
    ASSERT_TRUE(world.lane.run_on_lane(slow));
    ASSERT_TRUE(world.lane.run_on_lane(slow));
    ASSERT_TRUE(world.lane.run_on_lane([&last](ports::OrderLedger&) { last.hold(); }));
    first.open();
    last.wait_until_held();
    EXPECT_EQ(world.lane.last_beat(), world.clock.monotonic()) << "each was slow, none was stuck";
    EXPECT_TRUE(world.lane.busy());
    last.open();
    world.lane.close_and_drain();
}

TEST(OrderLane, ManyAtOnceLoseNothingAndEachKeepsItsPlace) {
    constexpr std::uint64_t threads = 4;
    constexpr std::uint64_t each = 500;
    LaneWorld world{{.shard = 0, .queue_capacity = 32, .batch_size_max = 16}};
    std::vector<KeepingSink> sinks(threads);
    world.lane.start();
    std::vector<std::thread> buyers;
    for (std::uint64_t buyer = 0; buyer < threads; ++buyer) {
        buyers.emplace_back([&world, &sinks, buyer] {
            for (std::uint64_t ticket = 0; ticket < each; ++ticket) {
                while (!world.submit({}, ticket, sinks[buyer])) std::this_thread::yield();
            }
        });
    }
    for (std::thread& buyer : buyers) buyer.join();
    world.lane.close_and_drain();

    std::map<std::string, int> answers;
    for (const KeepingSink& sink : sinks) {
        const Said said = sink.said();
        ASSERT_EQ(said.size(), each);
        for (std::uint64_t ticket = 0; ticket < each; ++ticket) {
            ASSERT_EQ(said[ticket].first, ticket);
            ++answers[said[ticket].second];
        }
    }
    EXPECT_EQ(answers.size(), threads * each) << "every sequence went out once";
    EXPECT_TRUE(answers.contains("accepted 1"));
    EXPECT_TRUE(answers.contains("accepted " + std::to_string(threads * each)));
    std::size_t reported = 0;
    for (const auto& batch : world.observer.kept) reported += batch.size;
    EXPECT_EQ(reported, threads * each);
}

TEST(OrderLane, PassesOverWhoseDeadlineIsGoneAndPlacesTheOthers) {
    LaneWorld world;
    Gate gate;
    world.start_held(gate);
    const auto submit = [&](std::uint64_t ticket, std::chrono::milliseconds patience) {
        auto placement = world.placement({.user = "ann"}, ticket, world.sink);
        placement.deadline = placement.arrived + patience;
        ASSERT_TRUE(world.lane.submit(std::move(placement)));
    };
    submit(1, std::chrono::milliseconds{100});
    submit(2, std::chrono::milliseconds{50});
    submit(3, std::chrono::milliseconds{51});
    world.clock.pass(std::chrono::milliseconds{50});
    gate.open();
    world.lane.close_and_drain();
    const std::vector<std::pair<std::uint64_t, std::string>> expected{
        {1, "accepted 1"}, {2, "deadline_passed"}, {3, "accepted 2"}};
    EXPECT_EQ(world.sink.said(), expected);
    ASSERT_EQ(world.observer.kept.size(), 2U);
    EXPECT_EQ(world.observer.kept[0].result, std::unexpected(ports::LedgerError::deadline_passed));
    EXPECT_EQ(world.observer.kept[0].size, 1U);
    EXPECT_EQ(world.observer.kept[1].size, 2U);
}

TEST(OrderLane, TouchesNoLedgerWhenAllAreTooLate) {
    LaneWorld world;
    Gate gate;
    world.start_held(gate);
    auto placement = world.placement({}, 1, world.sink);
    placement.deadline = placement.arrived;
    ASSERT_TRUE(world.lane.submit(std::move(placement)));
    gate.open();
    world.lane.close_and_drain();
    EXPECT_TRUE(world.recording.batches.empty());
    ASSERT_EQ(world.sink.said().size(), 1U);
    EXPECT_EQ(world.sink.said()[0].second, "deadline_passed");
}

TEST(OrderLane, AFullQueueOfOrdersLeavesRoomForOtherWork) {
    LaneWorld world{{.shard = 0, .queue_capacity = 128, .batch_size_max = 8}};
    Gate gate;
    world.start_held(gate);
    std::uint64_t taken = 0;
    while (world.submit({}, taken)) ++taken;
    EXPECT_EQ(taken, 126U);
    EXPECT_TRUE(world.lane.run_on_lane([](ports::OrderLedger&) {}));
    gate.open();
    world.lane.close_and_drain();
}

}  // namespace
}  // namespace firstcome::app
