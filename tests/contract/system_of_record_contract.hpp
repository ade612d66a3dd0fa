// tests/contract/system_of_record_contract.hpp - what every system of record must answer
#pragma once

#include "ports/event_sink.hpp"
#include "ports/system_of_record.hpp"
#include "tests/support/events.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace firstcome::test {

/// An implementation under test gives a World: two nodes' views of one truth.
///   record(), other()  the port, each as another node has it
///   sink()             stores orders of shard 0, as of the epoch `record()` is in
///   park(event)        keeps the event of the consumer `orders` as a dead letter, retrying
///   clock()            the ManualClock all use
template <typename World>
class SystemOfRecordContract : public ::testing::Test {
protected:
    using Changed = ports::Changed;
    using Rejected = domain::StockRejected;

    SystemOfRecordContract() {
        EXPECT_TRUE(world.record().advance_epoch(0, ports::Epoch{}, "run-1").has_value());
    }

    domain::Event buy(const Bought& bought) {
        return events.accepted(bought, world.clock().wall());
    }

    std::vector<domain::Event> store(const std::vector<Bought>& all) {
        std::vector<domain::Event> made;
        for (const Bought& each : all) made.push_back(buy(each));
        EXPECT_EQ(world.sink().deliver(made).delivered, made.size());
        return made;
    }

    std::variant<Changed, Rejected> change(const domain::StockChange& wanted) {
        auto done = world.record().change_stock(0, wanted, none_live(), not_lowered());
        EXPECT_TRUE(done.has_value());
        return *done;
    }

    Changed set(std::string_view what, domain::Units units) {
        return std::get<Changed>(change(stock_set(what, units)));
    }

    domain::StockRejection refused(const domain::StockChange& wanted) {
        return std::get<Rejected>(change(wanted)).why;
    }

    ports::RecordedItem recorded(std::string_view what = "shoe") {
        auto found = world.record().item(item(what));
        EXPECT_TRUE(found.has_value() && found->has_value());
        return **found;
    }

    static ports::SystemOfRecord::Live none_live() {
        return [] { return std::optional<domain::StockFigures>{}; };
    }

    static ports::SystemOfRecord::Lower not_lowered() {
        return [](const ports::RecordedItem&) { return ports::Epoch{1, "run-1"}; };
    }

    World world;
    EventMaker events;
};

TYPED_TEST_SUITE_P(SystemOfRecordContract);

TYPED_TEST_P(SystemOfRecordContract, AnEpochFollowsTheOneBeforeAndNoOther) {
    auto& record = this->world.record();
    EXPECT_EQ(record.epoch(1).value(), ports::Epoch{});
    const ports::Epoch first = record.advance_epoch(1, ports::Epoch{}, "a").value();
    EXPECT_EQ(first, (ports::Epoch{.number = 1, .run_id = "a"}));
    for (const ports::Epoch& stale : {ports::Epoch{}, ports::Epoch{1, "b"}, ports::Epoch{2, "a"}}) {
        const auto refused = record.advance_epoch(1, stale, "c");
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error(), ports::RecordError::not_ours);
    }
    EXPECT_FALSE(record.advance_epoch(2, ports::Epoch{7, "x"}, "y").has_value());
    EXPECT_EQ(this->world.other().advance_epoch(1, first, "b").value(), (ports::Epoch{2, "b"}));
    EXPECT_EQ(record.epoch(1).value(), (ports::Epoch{2, "b"}));
}

TYPED_TEST_P(SystemOfRecordContract, OneNodeLeadsAShardAndAnotherMayLeadTheNext) {
    EXPECT_TRUE(this->world.record().lead(0).value());
    EXPECT_TRUE(this->world.record().lead(0).value());
    EXPECT_FALSE(this->world.other().lead(0).value());
    EXPECT_TRUE(this->world.other().lead(1).value());
    EXPECT_FALSE(this->world.record().lead(1).value());
}

TYPED_TEST_P(SystemOfRecordContract, AllNodesHashWithOneSecret) {
    const std::string secret = this->world.record().secret().value();
    EXPECT_EQ(secret.size(), sizeof(base::KeyedHash::Secret));
    EXPECT_EQ(this->world.other().secret().value(), secret);
}

TYPED_TEST_P(SystemOfRecordContract, AnItemIsThereOnceItWasSetAndEachChangeMovesIt) {
    EXPECT_FALSE(this->world.record().item(item("shoe")).value().has_value());
    auto first = stock_set("shoe", 5);
    first.opens_at = this->world.clock().wall();
    first.per_user_limit = 2;
    const ports::Changed set = std::get<ports::Changed>(this->change(first));
    EXPECT_EQ(set.answer.figures.remaining, 5);
    EXPECT_FALSE(set.limit_appeared);
    auto add = stock_set("shoe", 3);
    add.operation = domain::StockOperation::add;
    this->change(add);
    const ports::RecordedItem after = this->recorded();
    EXPECT_GT(after.movement, set.item.movement);
    EXPECT_EQ(after.figures.initial, 5);
    EXPECT_EQ(after.figures.restocked, 3);
    EXPECT_EQ(after.figures.remaining, 8);
    EXPECT_EQ(after.figures.window.opens_at, first.opens_at);
    EXPECT_EQ(after.figures.per_user_limit, 2);
    this->set("hat", 1);
    const auto all = this->world.other().items(0).value();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].figures.item, item("hat"));
    EXPECT_EQ(all[1].figures.remaining, 8);
    EXPECT_TRUE(this->world.record().items(1).value().empty());
}

TYPED_TEST_P(SystemOfRecordContract, RefusesChangesThatMakeNoSense) {
    auto add = stock_set("shoe", 1);
    add.operation = domain::StockOperation::add;
    EXPECT_EQ(this->refused(add), domain::StockRejection::item_not_found);
    this->set("shoe", domain::stock_units_max);
    EXPECT_EQ(this->refused(add), domain::StockRejection::total_too_large);
    auto window = stock_set("shoe", 1);
    window.opens_at = this->world.clock().wall();
    window.closes_at = this->world.clock().wall();
    EXPECT_EQ(this->refused(window), domain::StockRejection::window_invalid);
    EXPECT_EQ(this->recorded().figures.initial, domain::stock_units_max);
}

TYPED_TEST_P(SystemOfRecordContract, ARepeatedChangeAnswersAsItDidThenHoweverLongAgo) {
    auto add = stock_set("shoe", 5);
    add.key = domain::KeyHash{1, 2};
    const auto first = std::get<ports::Changed>(this->change(add));
    EXPECT_FALSE(first.answer.replayed);
    this->set("shoe", 9);
    const auto again = std::get<ports::Changed>(this->change(add));
    EXPECT_TRUE(again.answer.replayed);
    EXPECT_EQ(again.answer.figures.remaining, 5);
    EXPECT_EQ(again.answer.figures.as_of, first.answer.figures.as_of);
    EXPECT_EQ(again.item.figures.remaining, 9);
    auto other = stock_set("shoe", 6);
    other.key = add.key;
    EXPECT_EQ(this->refused(other), domain::StockRejection::idempotency_key_reused);
    this->world.clock().pass(24h * 400);
    EXPECT_TRUE(std::get<ports::Changed>(this->change(add)).answer.replayed);
    EXPECT_EQ(this->refused(other), domain::StockRejection::idempotency_key_reused);
    EXPECT_EQ(this->recorded().figures.remaining, 9);
}

TYPED_TEST_P(SystemOfRecordContract, NothingGoesBelowWhatTheSaleHasGivenOut) {
    this->set("shoe", 10);
    this->store({{.quantity = 2}});
    domain::StockFigures in_sale = this->recorded().figures;
    in_sale.sold = 7;
    in_sale.remaining = 3;
    in_sale.orders = 4;
    const auto live = [&] { return std::optional(in_sale); };
    auto& record = this->world.record();
    const auto no = record.change_stock(0, stock_set("shoe", 6), live, this->not_lowered()).value();
    EXPECT_EQ(std::get<domain::StockRejected>(no).why, domain::StockRejection::below_committed);
    EXPECT_EQ(std::get<domain::StockRejected>(no).committed, 7);
    const auto yes =
        record.change_stock(0, stock_set("shoe", 8), live, this->not_lowered()).value();
    EXPECT_EQ(std::get<ports::Changed>(yes).answer.figures.remaining, 1);
    EXPECT_EQ(std::get<ports::Changed>(yes).answer.figures.orders, 4U);
    EXPECT_EQ(this->recorded().figures.remaining, 6);
    EXPECT_EQ(this->recorded().figures.sold, 2);
}

TYPED_TEST_P(SystemOfRecordContract, WhatLowersATotalIsAskedOfTheSaleFirst) {
    this->set("shoe", 10);
    auto& record = this->world.record();
    domain::Units asked = -1;
    const auto no = [&](const ports::RecordedItem& wanted) {
        asked = wanted.figures.total();
        return domain::StockRejected{
            .why = domain::StockRejection::below_committed, .committed = 9, .total = 10};
    };
    const auto refused = record.change_stock(0, stock_set("shoe", 4), this->none_live(), no);
    EXPECT_EQ(std::get<domain::StockRejected>(refused.value()).committed, 9);
    EXPECT_EQ(asked, 4);
    const auto silent = [](const ports::RecordedItem&)
        -> ports::SystemOfRecord::Result<ports::SystemOfRecord::Lowered> {
        return std::unexpected(ports::RecordError::unavailable);
    };
    const auto failed = record.change_stock(0, stock_set("shoe", 4), this->none_live(), silent);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error(), ports::RecordError::unavailable);
    const auto unknown =
        []() -> ports::SystemOfRecord::Result<std::optional<domain::StockFigures>> {
        return std::unexpected(ports::RecordError::outcome_unknown);
    };
    EXPECT_FALSE(
        record.change_stock(0, stock_set("shoe", 4), unknown, this->not_lowered()).has_value()
    );
    EXPECT_EQ(this->recorded().figures.total(), 10);
    asked = -1;
    EXPECT_TRUE(record.change_stock(0, stock_set("shoe", 11), this->none_live(), no).has_value());
    EXPECT_EQ(asked, -1) << "a total that rises is not asked for";
}

TYPED_TEST_P(SystemOfRecordContract, WhatWasLoweredInASaleThatIsNoMoreIsNotCommitted) {
    this->set("shoe", 10);
    auto& record = this->world.record();
    const ports::Epoch lowered_in = record.epoch(0).value();
    const auto rebuilt_meanwhile = [&](const ports::RecordedItem&) {
        EXPECT_TRUE(this->world.other().advance_epoch(0, lowered_in, "run-2").has_value());
        return ports::SystemOfRecord::Lowered{lowered_in};
    };
    const auto changed =
        record.change_stock(0, stock_set("shoe", 4), this->none_live(), rebuilt_meanwhile);
    ASSERT_FALSE(changed.has_value());
    EXPECT_EQ(changed.error(), ports::RecordError::not_ours);
    EXPECT_EQ(this->recorded().figures.total(), 10) << "the rebuild may have read it";
    const auto now = [](const ports::RecordedItem&) { return ports::Epoch{2, "run-2"}; };
    ASSERT_TRUE(record.change_stock(0, stock_set("shoe", 4), this->none_live(), now).has_value());
    EXPECT_EQ(this->recorded().figures.total(), 4);
}

TYPED_TEST_P(SystemOfRecordContract, SaysWhenALimitAppearsOnAnItemAlreadySelling) {
    this->set("shoe", 10);
    this->store({{}});
    auto limit = stock_set("shoe", 10);
    limit.per_user_limit = 3;
    EXPECT_TRUE(std::get<ports::Changed>(this->change(limit)).limit_appeared);
    EXPECT_FALSE(std::get<ports::Changed>(this->change(limit)).limit_appeared);
}

TYPED_TEST_P(SystemOfRecordContract, AStoredOrderCountsOnceHoweverOftenItComes) {
    this->set("shoe", 10);
    const auto made = this->store({{.quantity = 2}, {.user = "bob", .quantity = 3}});
    EXPECT_EQ(this->world.sink().deliver(made).delivered, 2U);
    const ports::RecordedItem after = this->recorded();
    EXPECT_EQ(after.figures.sold, 5);
    EXPECT_EQ(after.figures.remaining, 5);
    EXPECT_EQ(after.figures.orders, 2U);
    const domain::Event never = this->buy({});
    const std::vector ids{made[0].id, made[1].id, never.id};
    EXPECT_EQ(this->world.record().stored(ids).value(), (std::set{made[0].id, made[1].id}));
}

TYPED_TEST_P(SystemOfRecordContract, AParkedOrderKeepsItsUnitsAndItsPlaceUntilItIsGivenUp) {
    this->set("shoe", 10);
    this->store({{.quantity = 1}});
    const domain::Event parked = this->buy({.user = "bob", .quantity = 4});
    this->world.park(parked);
    EXPECT_EQ(this->recorded().figures.sold + this->recorded().figures.compensating, 5);
    EXPECT_EQ(this->recorded().figures.remaining, 5);
    EXPECT_EQ(this->recorded().figures.orders, 2U);
    EXPECT_TRUE(this->world.record().stored(std::vector{parked.id}).value().contains(parked.id));
    const auto failed = this->world.record().fail(parked.id, "given up").value();
    ASSERT_TRUE(failed.has_value());
    EXPECT_TRUE(failed->first);
    EXPECT_EQ(failed->order.quantity, 4);
    EXPECT_EQ(this->world.sink().deliver(std::vector{parked}).delivered, 1U);
    EXPECT_EQ(this->recorded().figures.sold, 1) << "never delivered and given back";
    const ports::Epoch epoch = this->world.record().epoch(0).value();
    EXPECT_TRUE(this->world.record().given_back(parked.id, epoch).has_value());
    EXPECT_EQ(this->recorded().figures.remaining, 9);
    EXPECT_EQ(this->recorded().figures.orders, 2U);
}

TYPED_TEST_P(SystemOfRecordContract, CountsWhatEachUserHolds) {
    this->set("shoe", 100);
    const auto made = this->store(
        {{.quantity = 2}, {.user = "bob", .quantity = 3}, {.quantity = 5}, {.user = "eve"}}
    );
    this->world.park(this->buy({.user = "bob", .quantity = 4}));
    ASSERT_TRUE(this->world.record().fail(made[3].id, "no").value().has_value());
    this->set("hat", 100);
    this->store({{.item = "hat", .quantity = 6}, {.item = "sock", .quantity = 8}});
    const ports::SystemOfRecord::Bought expected{
        {item("shoe"), {{user("ann"), 7}, {user("bob"), 7}}}, {item("hat"), {{user("ann"), 6}}}};
    const std::vector asked{item("shoe"), item("hat"), item("unknown")};
    EXPECT_EQ(this->world.record().bought(asked, [] { return true; }).value(), expected);
    EXPECT_TRUE(this->world.record().bought({}, [] { return true; }).value().empty());
}

TYPED_TEST_P(SystemOfRecordContract, GivesTheKeysThatStillLiveWithTheirOrders) {
    this->set("shoe", 100);
    this->store({{.key = "old"}});
    this->world.clock().pass(10s);
    const auto since = this->world.clock().wall();
    const auto made = this->store({{.key = "k1"}, {.user = "bob"}, {.user = "bob", .key = "k2"}});
    const domain::Event parked = this->buy({.user = "eve", .key = "k3"});
    this->world.park(parked);
    std::map<domain::KeyHash, domain::Order> all;
    const auto take = [&](std::span<const ports::RecordedKey> piece) {
        for (const ports::RecordedKey& each : piece) all.emplace(each.key, each.order);
        return true;
    };
    ASSERT_TRUE(this->world.record().keys(0, since, take).has_value());
    ASSERT_EQ(all.size(), 3U);
    const domain::Order& first = all.at(*made[0].key);
    EXPECT_EQ(first.id, made[0].id);
    EXPECT_EQ(first.sequence, made[0].order.sequence);
    EXPECT_EQ(first.accepted_at, made[0].order.accepted_at);
    EXPECT_EQ(first.durability, domain::Durability::redis);
    EXPECT_EQ(all.at(*made[2].key).id, made[2].id);
    EXPECT_EQ(all.at(*parked.key).id, parked.id);
    all.clear();
    ASSERT_TRUE(this->world.record().keys(1, since, take).has_value());
    EXPECT_TRUE(all.empty());
}

TYPED_TEST_P(SystemOfRecordContract, ADeclaredOrderIsRememberedAsItsBuyerWasTold) {
    this->set("shoe", 100);
    std::vector<domain::Event> made;
    for (const char* const key : {"stored", "kept", "parked"}) {
        made.push_back(this->buy({.key = key}));
        made.back().order.durability = domain::Durability::database;
    }
    EXPECT_EQ(this->world.sink().deliver(std::span(made).first(2)).delivered, 2U);
    this->world.park(made[2]);
    std::vector declared{made[0].id};
    for (int i = 0; i < 1000; ++i) declared.push_back(this->buy({.key = "never"}).id);
    declared.push_back(made[2].id);
    auto& record = this->world.record();
    ASSERT_TRUE(record.declare(declared).has_value());
    ASSERT_TRUE(record.declare(declared).has_value()) << "again";
    ASSERT_TRUE(record.declare({}).has_value());
    std::map<domain::OrderId, domain::Durability> all;
    const auto take = [&](std::span<const ports::RecordedKey> piece) {
        for (const auto& each : piece) all.emplace(each.order.id, each.order.durability);
        return true;
    };
    ASSERT_TRUE(record.keys(0, domain::WallTime{}, take).has_value());
    const std::map<domain::OrderId, domain::Durability> expected{
        {made[0].id, domain::Durability::redis},
        {made[1].id, domain::Durability::database},
        {made[2].id, domain::Durability::redis}};
    EXPECT_EQ(all, expected);
}

TYPED_TEST_P(SystemOfRecordContract, LongReadsEndWhenTheyAreToldTo) {
    this->set("shoe", 10);
    this->store({{.key = "k1"}});
    auto& record = this->world.record();
    const std::vector<domain::ItemId> items{item("shoe")};
    EXPECT_EQ(record.bought(items, [] { return false; }).error(), ports::RecordError::unavailable);
    int pieces = 0;
    const auto take = [&](std::span<const ports::RecordedKey>) { return ++pieces < 1; };
    const auto read = record.keys(0, domain::WallTime{}, take);
    EXPECT_EQ(read.error(), ports::RecordError::unavailable);
    EXPECT_EQ(pieces, 1);
    EXPECT_TRUE(record.bought(items, [] { return true; }).has_value()) << "and can begin anew";
}

TYPED_TEST_P(SystemOfRecordContract, AnOrderFailsOnceAndItsUnitsComeBackOnce) {
    this->set("shoe", 10);
    const auto made = this->store({{.quantity = 2}, {.quantity = 3}});
    auto& record = this->world.record();
    EXPECT_FALSE(record.fail(this->buy({}).id, "never was").value().has_value());
    const auto first = record.fail(made[1].id, "refused").value();
    ASSERT_TRUE(first.has_value());
    EXPECT_TRUE(first->first);
    EXPECT_FALSE(first->given_back);
    EXPECT_EQ(first->order.status, domain::OrderStatus::failed);
    const auto again = this->world.other().fail(made[1].id, "refused").value();
    EXPECT_FALSE(again->first);
    EXPECT_EQ(this->recorded().figures.sold, 2);
    EXPECT_EQ(this->recorded().figures.compensating, 3);
    ASSERT_EQ(record.not_given_back(0, 10).value().size(), 1U);
    EXPECT_EQ(record.not_given_back(0, 10).value()[0].id, made[1].id);
    EXPECT_TRUE(record.not_given_back(1, 10).value().empty());
    const ports::Epoch epoch = record.epoch(0).value();
    for (int repeat = 0; repeat < 2; ++repeat) {
        ASSERT_TRUE(record.given_back(made[1].id, epoch).has_value());
        EXPECT_EQ(this->recorded().figures.remaining, 8);
    }
    EXPECT_TRUE(record.fail(made[1].id, "refused").value()->given_back);
    EXPECT_TRUE(record.not_given_back(0, 10).value().empty());
    ASSERT_TRUE(record.given_back(made[0].id, epoch).has_value());
    EXPECT_EQ(this->recorded().figures.sold, 2) << "only a failed order is given back";
}

TYPED_TEST_P(SystemOfRecordContract, UnitsGivenBackInASaleThatIsNoMoreStayTaken) {
    this->set("shoe", 10);
    auto& record = this->world.record();
    const auto made = this->store({{.quantity = 2}});
    const domain::Event parked = this->buy({.user = "bob", .quantity = 4});
    this->world.park(parked);
    const ports::Epoch before = record.epoch(0).value();
    const ports::Epoch now = this->world.other().advance_epoch(0, before, "run-2").value();
    for (const domain::OrderId order : {made[0].id, parked.id}) {
        ASSERT_TRUE(record.fail(order, "refused").value().has_value());
        const auto refused = record.given_back(order, before);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error(), ports::RecordError::not_ours);
        ASSERT_EQ(record.not_given_back(0, 10).value().size(), 1U) << "still to be given back";
        ASSERT_TRUE(record.given_back(order, now).has_value());
        EXPECT_TRUE(record.not_given_back(0, 10).value().empty());
    }
    EXPECT_EQ(this->recorded().figures.remaining, 10);
}

REGISTER_TYPED_TEST_SUITE_P(
    SystemOfRecordContract,
    AnEpochFollowsTheOneBeforeAndNoOther,
    OneNodeLeadsAShardAndAnotherMayLeadTheNext,
    AllNodesHashWithOneSecret,
    AnItemIsThereOnceItWasSetAndEachChangeMovesIt,
    RefusesChangesThatMakeNoSense,
    ARepeatedChangeAnswersAsItDidThenHoweverLongAgo,
    NothingGoesBelowWhatTheSaleHasGivenOut,
    WhatLowersATotalIsAskedOfTheSaleFirst,
    WhatWasLoweredInASaleThatIsNoMoreIsNotCommitted,
    SaysWhenALimitAppearsOnAnItemAlreadySelling,
    AStoredOrderCountsOnceHoweverOftenItComes,
    AParkedOrderKeepsItsUnitsAndItsPlaceUntilItIsGivenUp,
    CountsWhatEachUserHolds,
    GivesTheKeysThatStillLiveWithTheirOrders,
    ADeclaredOrderIsRememberedAsItsBuyerWasTold,
    LongReadsEndWhenTheyAreToldTo,
    AnOrderFailsOnceAndItsUnitsComeBackOnce,
    UnitsGivenBackInASaleThatIsNoMoreStayTaken
);

}  // namespace firstcome::test
