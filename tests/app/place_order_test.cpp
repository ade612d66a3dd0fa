// tests/app/place_order_test.cpp - what is shed and why; and where an item's orders go, for ever
#include "app/place_order.hpp"

#include "ports/order_store.hpp"
#include "tests/app/world.hpp"

#include <gtest/gtest.h>

namespace firstcome::app {
namespace {

using test::Gate;
using test::LaneWorld;

TEST(PlaceOrder, ShedsAsOverloadedWhenTheLaneIsFull) {
    LaneWorld world{{.shard = 0, .queue_capacity = 2, .batch_size_max = 8}};
    PlaceOrder place_order{{&world.lane}};
    Gate gate;
    world.start_held(gate);
    EXPECT_EQ(place_order.submit(world.placement({}, 1, world.sink)), std::nullopt);
    EXPECT_EQ(place_order.submit(world.placement({}, 2, world.sink)), std::nullopt);
    EXPECT_EQ(place_order.submit(world.placement({}, 3, world.sink)), Shed::overloaded);
    EXPECT_EQ(place_order.submit(world.placement({}, 4, world.sink)), Shed::overloaded);
    EXPECT_EQ(place_order.shed_count(), 2U);
    gate.open();
    world.lane.close_and_drain();
    EXPECT_EQ(world.sink.said().size(), 2U) << "what was shed is never answered by the lane";
}

TEST(PlaceOrder, ShedsAsDrainingOnceItGoesDownButAnswersWhatItTook) {
    LaneWorld world;
    PlaceOrder place_order{{&world.lane}};
    Gate gate;
    world.start_held(gate);
    EXPECT_EQ(place_order.submit(world.placement({}, 1, world.sink)), std::nullopt);
    place_order.drain();
    EXPECT_EQ(place_order.submit(world.placement({}, 2, world.sink)), Shed::draining);
    EXPECT_EQ(place_order.shed_count(), 1U);
    gate.open();
    world.lane.close_and_drain();
    ASSERT_EQ(world.sink.said().size(), 1U);
    EXPECT_EQ(world.sink.said()[0].second, "accepted 1");
}

TEST(PlaceOrder, DoesNotQueueWhatWouldComeTooLate) {
    LaneWorld world;
    PlaceOrder place_order{{&world.lane}};
    world.lane.start();
    app::Placement placement = world.placement({}, 1, world.sink);
    placement.deadline = world.clock.monotonic() - std::chrono::milliseconds{1};
    EXPECT_EQ(place_order.submit(std::move(placement)), Shed::too_late);
    placement = world.placement({}, 2, world.sink);
    placement.deadline = world.clock.monotonic() + std::chrono::milliseconds{1};
    EXPECT_EQ(place_order.submit(std::move(placement)), std::nullopt) << "nobody waits here";
    world.lane.close_and_drain();
    EXPECT_EQ(world.sink.said().size(), 1U);
    EXPECT_EQ(place_order.shed_count(), 1U);
}

TEST(PlaceOrder, GivesEachItemToItsShardsLane) {
    LaneWorld lanes[2];
    PlaceOrder place_order{{&lanes[0].lane, &lanes[1].lane}};
    test::KeepingSink sink;
    for (LaneWorld& world : lanes) world.lane.start();
    const std::string_view items[] = {"shoe", "hat", "item-1", "item-2", "item-3", "item-4"};
    std::size_t expected[2] = {0, 0};
    for (const std::string_view item : items) {
        ++expected[shard_of(test::item(item), 2)];
        ASSERT_FALSE(place_order.submit(lanes[0].placement({.item = item}, 1, sink)).has_value());
    }
    for (std::size_t shard = 0; shard < 2; ++shard) {
        lanes[shard].lane.close_and_drain();
        std::size_t placed = 0;
        for (const std::size_t size : lanes[shard].recording.batches) placed += size;
        EXPECT_EQ(placed, expected[shard]);
    }
}

// These never change: they say in which file an item's orders are.
TEST(ShardOf, IsAsItWasOnTheFirstDay) {
    struct Row {
        std::string_view item;
        unsigned of_2;
        unsigned of_4;
        unsigned of_7;
        unsigned of_64;
    };

    const Row rows[] = {
        {"a", 0, 0, 5, 12},
        {"foobar", 0, 0, 6, 40},
        {"shoe", 0, 2, 1, 50},
        {"hat", 0, 2, 2, 2},
        {"42", 1, 3, 5, 35},
        {"item-1", 0, 0, 2, 0},
        {"A.b_c:d-9", 0, 2, 4, 2},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1, 1, 0, 37},
    };
    for (const Row& row : rows) {
        const domain::ItemId item = test::item(row.item);
        EXPECT_EQ(shard_of(item, 1), 0U) << row.item;
        EXPECT_EQ(shard_of(item, 2), row.of_2) << row.item;
        EXPECT_EQ(shard_of(item, 4), row.of_4) << row.item;
        EXPECT_EQ(shard_of(item, 7), row.of_7) << row.item;
        EXPECT_EQ(shard_of(item, 64), row.of_64) << row.item;
    }
}

TEST(Names, OfWhyAnOrderIsShed) {
    EXPECT_EQ(name(Shed::overloaded), "overloaded");
    EXPECT_EQ(name(Shed::draining), "draining");
    EXPECT_EQ(name(Shed::too_late), "too_late");
}

TEST(Names, OfFaults) {
    EXPECT_EQ(name(ports::LedgerError::unavailable), "unavailable");
    EXPECT_EQ(name(ports::LedgerError::storage_full), "storage_full");
    EXPECT_EQ(name(ports::LedgerError::deadline_passed), "deadline_passed");
    EXPECT_EQ(name(ports::LedgerError::outcome_unknown), "outcome_unknown");
    EXPECT_EQ(name(ports::StoreError::unavailable), "unavailable");
    EXPECT_EQ(name(ports::StoreError::corrupt), "corrupt");
}

}  // namespace
}  // namespace firstcome::app
