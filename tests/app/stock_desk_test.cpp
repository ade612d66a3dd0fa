// tests/app/stock_desk_test.cpp - changes go through the item's lane, figures come from all shards
#include "app/stock_desk.hpp"

#include "app/place_order.hpp"
#include "tests/app/world.hpp"

#include <gtest/gtest.h>

namespace firstcome::app {
namespace {

using test::Gate;
using test::item;
using test::LaneWorld;
using test::stock_set;

TEST(StockDesk, MakesAChangeInItsTurnBetweenOrders) {
    LaneWorld world;
    StockDesk desk{{{&world.lane, &world.memory}}};
    Gate gate;
    world.start_held(gate);
    std::optional<StockReply> reply;
    ASSERT_TRUE(world.submit({.item = "hat"}, 1));
    ASSERT_TRUE(desk.change(stock_set("hat", 1), [&](StockReply said) { reply = std::move(said); })
    );
    ASSERT_TRUE(world.submit({.item = "hat"}, 2));
    EXPECT_FALSE(desk.stock(item("hat")).has_value()) << "not made yet";
    gate.open();
    world.lane.close_and_drain();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(std::get<ports::StockChanged>(**reply).figures.remaining, 1);
    EXPECT_EQ(world.sink.said()[0].second, "item_not_found");
    EXPECT_EQ(world.sink.said()[1].second, "accepted 1");
    EXPECT_EQ(desk.stock(item("hat"))->remaining, 0);
}

TEST(StockDesk, SaysWhenALaneTakesNothingAndThenNeverAnswers) {
    LaneWorld world{{.shard = 0, .queue_capacity = 1, .batch_size_max = 1}};
    StockDesk desk{{{&world.lane, &world.memory}}};
    Gate gate;
    world.start_held(gate);
    ASSERT_TRUE(world.submit({}, 1));
    const auto never = [](const StockReply&) { FAIL(); };
    EXPECT_FALSE(desk.change(stock_set("hat", 1), never)) << "full";
    gate.open();
    world.lane.close_and_drain();
    EXPECT_FALSE(desk.change(stock_set("hat", 1), never)) << "closed";
}

TEST(StockDesk, PassesAFaultOn) {
    LaneWorld world;
    StockDesk desk{{{&world.lane, &world.memory}}};
    world.memory.fail_next(ports::LedgerError::storage_full);
    std::optional<StockReply> reply;
    ASSERT_TRUE(desk.change(stock_set("hat", 1), [&](StockReply said) { reply = std::move(said); })
    );
    world.lane.start();
    world.lane.close_and_drain();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->error(), ports::LedgerError::storage_full);
}

TEST(StockDesk, ShowsAllShardsSortedAndCountsTheirOrders) {
    LaneWorld worlds[2];
    StockDesk desk{{{&worlds[0].lane, &worlds[0].memory}, {&worlds[1].lane, &worlds[1].memory}}};
    PlaceOrder place_order{{&worlds[0].lane, &worlds[1].lane}};
    for (LaneWorld& world : worlds) world.lane.start();
    const std::string_view names[] = {"n3", "n1", "n4", "n2", "n5", "n6"};
    for (const std::string_view each : names) {
        ASSERT_TRUE(desk.change(stock_set(each, 5), [](const StockReply& said) {
            EXPECT_TRUE(said.has_value());
        }));
        for (int order = 0; order < 2; ++order) {
            auto placement = worlds[0].placement({.item = each}, 1, worlds[0].sink);
            ASSERT_FALSE(place_order.submit(std::move(placement)).has_value());
        }
    }
    for (LaneWorld& world : worlds) world.lane.close_and_drain();
    std::vector<std::string> shown;
    for (const domain::StockFigures& figures : desk.all_stock()) {
        if (figures.item.text().starts_with("n")) shown.emplace_back(figures.item.text());
        EXPECT_EQ(figures.drift(), 0);
    }
    EXPECT_EQ(shown, (std::vector<std::string>{"n1", "n2", "n3", "n4", "n5", "n6"}));
    EXPECT_EQ(desk.count(item("n4")), 2U);
    EXPECT_EQ(desk.count(item("ghost")), 0U);
    EXPECT_EQ(desk.count(std::nullopt), 12U);
    EXPECT_EQ(desk.stock(item("n6"))->sold, 2);
}

}  // namespace
}  // namespace firstcome::app
