// tests/adapters/postgres/order_sink_test.cpp - batches, epochs, poison, and what is told
#include "adapters/postgres/order_sink.hpp"

#include "adapters/postgres/dead_letters.hpp"
#include "tests/adapters/postgres/own_server.hpp"
#include "tests/adapters/postgres/world.hpp"

namespace firstcome::test {

namespace {

using domain::Event;
using ports::Cause;
using ports::Delivery;
using postgres::SqlError;

class OrdersIntoPostgres : public ::testing::Test {
protected:
    OrdersIntoPostgres() {
        EXPECT_TRUE(world.record().advance_epoch(0, ports::Epoch{}, "run-1").has_value());
        set("shoe", 1000);
    }

    void set(std::string_view what, domain::Units units) {
        const auto none = [] { return std::optional<domain::StockFigures>{}; };
        const auto fine = [](const ports::RecordedItem&) {
            return ports::SystemOfRecord::Lowered{};
        };
        EXPECT_TRUE(world.record().change_stock(0, stock_set(what, units), none, fine).has_value());
    }

    Event buy(const Bought& bought = {}) { return events.accepted(bought, world.clock().wall()); }

    std::vector<Event> batch(std::size_t size) {
        std::vector<Event> made;
        for (std::size_t each = 0; each < size; ++each) made.push_back(buy());
        return made;
    }

    Delivery deliver(const std::vector<Event>& all) { return world.sink().deliver(all); }

    domain::StockFigures figures(std::string_view what = "shoe") {
        return world.record().item(item(what)).value()->figures;
    }

    PostgresWorld world;
    EventMaker events;
};

}  // namespace

TEST_F(OrdersIntoPostgres, StoresAllOfAnOrder) {
    std::vector<Event> one{buy({.user = "bob", .quantity = 2, .key = "k"})};
    one[0].position = "17-1";
    EXPECT_EQ(deliver(one).delivered, 1U);
    const std::string stored = world.psql(
        "SELECT order_id, shard, user_id, item_id, quantity, sequence, status, durability, "
        "length(key), length(trace), accepted_at = '2026-11-22T00:00Z' FROM orders"
    );
    EXPECT_EQ(stored, one[0].id.text() + "|0|bob|shoe|2|1|confirmed|redis|16|25|t");
    EXPECT_EQ(world.psql("SELECT relayed FROM epochs"), "17-1");
    EXPECT_EQ(world.psql("SELECT count(*) FROM outbox"), "0");
}

// Parked, and its node died before it could acknowledge: the relay brings it again.
TEST_F(OrdersIntoPostgres, AnOrderIsNotStoredAndADeadLetterAtOnce) {
    const auto mine = world.record().epoch(0).value();
    postgres::OrderSink relay{
        {.connection = connection_to(world.url())}, [mine] { return std::optional(mine); }, [] {}};
    postgres::DeadLetters letters{{.connection = connection_to(world.url())}};
    const std::vector<Event> one{buy({.user = "bob"})};
    const auto now = world.clock().wall();
    const ports::DeliveryFailure refused{.cause = Cause::invalid, .error = "no", .exact = true};
    ASSERT_TRUE(letters.park(one[0], "orders", refused, now, now).has_value());
    EXPECT_EQ(relay.deliver(one).delivered, 1U);
    EXPECT_EQ(world.psql("SELECT status FROM failed_order_events"), "resolved");
    EXPECT_EQ(world.psql("SELECT count(*) FROM orders"), "1");
    EXPECT_EQ(
        letters.discard(1, "by mistake", "tidy", now).error(), ports::DeadLetterError::in_the_way
    );
}

TEST_F(OrdersIntoPostgres, StoresNothingOfAnotherEpoch) {
    const auto mine = world.record().epoch(0).value();
    postgres::OrderSink sink{
        {.connection = connection_to(world.url())},
        [mine] { return std::optional(mine); },
        [this] { ++world.told_not_ours; }};
    ASSERT_TRUE(world.other().advance_epoch(0, mine, "run-2").has_value());
    const Delivery refused = sink.deliver(batch(3));
    EXPECT_EQ(refused.delivered, 0U);
    EXPECT_EQ(refused.failure->cause, Cause::conflict);
    EXPECT_FALSE(refused.failure->exact);
    EXPECT_EQ(world.told_not_ours, 1);
    EXPECT_EQ(figures().sold, 0);
    postgres::OrderSink without{
        {.connection = connection_to(world.url())},
        [] { return std::optional<ports::Epoch>{}; },
        [this] { ++world.told_not_ours; }};
    EXPECT_EQ(without.deliver(batch(1)).delivered, 0U);
    EXPECT_EQ(world.told_not_ours, 2);
}

TEST_F(OrdersIntoPostgres, TheDeskDeliversWhatWasParkedInAnyEpoch) {
    postgres::OrderSink desk{{.connection = connection_to(world.url())}, {}, {}};
    const Event parked = buy();
    world.park(parked);
    EXPECT_EQ(desk.deliver(std::vector{parked}).delivered, 1U);
    EXPECT_EQ(figures().sold, 1);
    EXPECT_EQ(figures().compensating, 0) << "stored or parked, never both";
}

// The desk has had it in its hands since before.
TEST_F(OrdersIntoPostgres, WhatWasDeclaredOfAParkedOrderIsStoredWithIt) {
    postgres::OrderSink desk{{.connection = connection_to(world.url())}, {}, {}};
    std::vector<Event> two{buy(), buy()};
    for (Event& event : two) {
        event.order.durability = domain::Durability::database;
        world.park(event);
    }
    ASSERT_TRUE(world.record().declare(std::vector{two[0].id}).has_value());
    EXPECT_EQ(desk.deliver(two).delivered, 2U);
    EXPECT_EQ(world.psql("SELECT durability FROM orders ORDER BY sequence"), "redis\ndatabase");
}

TEST_F(OrdersIntoPostgres, TenPoisonRowsAmongFiveHundredAreToldOneByOneAndCostElevenStores) {
    std::vector<Event> all = batch(500);
    for (std::size_t at = 20; at < 500; at += 50) all[at].order.quantity = -1;
    std::span<const Event> left = all;
    for (std::size_t bad = 0; bad < 10; ++bad) {
        const Delivery delivery = world.sink().deliver(left);
        EXPECT_EQ(delivery.delivered, bad == 0 ? 20U : 49U) << "the good ones before it";
        ASSERT_TRUE(delivery.failure.has_value());
        EXPECT_EQ(delivery.failure->cause, Cause::invalid);
        EXPECT_TRUE(delivery.failure->exact);
        EXPECT_THAT(delivery.failure->error, ::testing::HasSubstr("orders_quantity_check"));
        left = left.subspan(delivery.delivered + 1);
    }
    EXPECT_EQ(world.sink().deliver(left).delivered, 29U);
    EXPECT_EQ(figures().sold, 490);
    EXPECT_EQ(world.psql("SELECT count(*), count(DISTINCT xmin::text) FROM orders"), "490|11");
}

TEST_F(OrdersIntoPostgres, AnOrderOnceRefusedIsTriedAgainWhenItComesAgain) {
    const std::vector<Event> all{buy(), buy({.user = "poison"}), buy(), buy()};
    world.psql("ALTER TABLE orders ADD CONSTRAINT no_poison CHECK (user_id <> 'poison')");
    const Delivery refused = deliver(all);
    EXPECT_EQ(refused.delivered, 1U);
    EXPECT_TRUE(refused.failure->exact);
    world.psql("ALTER TABLE orders DROP CONSTRAINT no_poison");
    EXPECT_EQ(deliver(all).delivered, 4U) << "its node could not park it";
    EXPECT_EQ(figures().sold, 4);
}

TEST_F(OrdersIntoPostgres, WhatIsRefusedOnlyTogetherIsLeftToSplitting) {
    set("hat", 2);
    const std::vector<Event> all{buy({.item = "hat"}), buy({.item = "hat"}), buy({.item = "hat"})};
    const Delivery over = deliver(all);
    EXPECT_EQ(over.delivered, 0U);
    EXPECT_EQ(over.failure->cause, Cause::invalid);
    EXPECT_FALSE(over.failure->exact);
    EXPECT_EQ(figures("hat").sold, 0);
}

TEST_F(OrdersIntoPostgres, AKeyOfAnotherOrderIsADuplicateUntilItIsForgotten) {
    const Event first = buy({.key = "k"});
    EXPECT_EQ(deliver({first}).delivered, 1U);
    const Delivery again = deliver({buy({.key = "k"})});
    EXPECT_EQ(again.failure->cause, Cause::duplicate);
    EXPECT_TRUE(again.failure->exact);
    world.clock().pass(24h);
    EXPECT_EQ(deliver({buy({.key = "k"}), buy()}).delivered, 2U);
    EXPECT_EQ(world.psql("SELECT count(*) FROM orders WHERE key IS NULL"), "2");
    EXPECT_EQ(figures().sold, 3);
}

// Each shard of Redis knows only its own keys, so both were answered 202.
TEST_F(OrdersIntoPostgres, OneKeyForItemsOfTwoShardsIsTwoOrdersAndEachIsForgottenByItself) {
    EventMaker elsewhere{1, 2};
    const auto buy_there = [&](const Event& with_key_of) {
        Event made = elsewhere.accepted({.item = "hat"}, world.clock().wall());
        made.key = with_key_of.key;
        return made;
    };
    const Event here = buy({.key = "k"});
    EXPECT_EQ(deliver({here}).delivered, 1U);
    EXPECT_EQ(deliver({buy_there(here)}).delivered, 1U);
    EXPECT_EQ(figures("hat").sold, 1);
    const Delivery again = deliver({buy_there(here)});
    EXPECT_EQ(again.failure->cause, Cause::duplicate);
    world.clock().pass(24h);
    EXPECT_EQ(deliver({buy({.key = "k"})}).delivered, 1U);
    EXPECT_EQ(world.psql("SELECT shard FROM orders WHERE key IS NULL"), "0");
}

TEST_F(OrdersIntoPostgres, AnOrderOfAnItemWithoutARowIsNotLost) {
    EXPECT_EQ(deliver({buy({.item = "hat", .quantity = 3})}).delivered, 1U);
    EXPECT_EQ(deliver({buy({.item = "hat", .quantity = 2}), buy()}).delivered, 2U);
    EXPECT_EQ(figures("hat").sold, 5);
    EXPECT_EQ(figures("hat").remaining, 0);
    EXPECT_EQ(figures("hat").drift(), 0);
    set("hat", 7);
    EXPECT_EQ(deliver({buy({.item = "hat"})}).delivered, 1U);
    EXPECT_EQ(figures("hat").remaining, 1);
}

TEST_F(OrdersIntoPostgres, HasTheLastWordAgainstSellingTwice) {
    set("hat", 2);
    const Delivery over = deliver({buy({.item = "hat", .quantity = 3})});
    EXPECT_EQ(over.failure->cause, Cause::invalid);
    EXPECT_EQ(figures("hat").sold, 0);
}

TEST_F(OrdersIntoPostgres, TellsEachOrderAndEachCrossingOnceInOrder) {
    postgres::OrderSink telling{
        {.connection = connection_to(world.url()), .events = true},
        [this] { return std::optional(world.record().epoch(0).value()); },
        [] {}};
    set("hat", 20);
    const std::vector first{buy({.item = "hat", .quantity = 17}), buy()};
    const std::vector second{buy({.item = "hat"}), buy({.item = "hat", .quantity = 2})};
    for (const auto& each : {first, first, second, second}) {
        EXPECT_EQ(telling.deliver(each).delivered, 2U);
    }
    EXPECT_EQ(
        world.psql(
            "SELECT string_agg(concat_ws(' ', type, payload->>'quantity', payload->>'remaining'), "
            "', ' ORDER BY position) FROM outbox WHERE aggregateid = 'hat'"
        ),
        "order.accepted 17, order.confirmed 17, order.accepted 1, order.confirmed 1, "
        "order.accepted 2, order.confirmed 2, stock.low 2 0, stock.sold_out 2 0"
    );
    EXPECT_EQ(
        world.psql("SELECT payload->>'status' FROM outbox WHERE id = '" + first[0].id.text() + "'"),
        "processing"
    );
    EXPECT_EQ(world.psql("SELECT count(DISTINCT id) FROM outbox"), "10");
}

TEST_F(OrdersIntoPostgres, HoldsAnItemToItsOwnPercentage) {
    postgres::OrderSink telling{
        {.connection = connection_to(world.url()),
         .events = true,
         .stock_low = {.percent = 10, .percent_of = {{"hat", 50}}}},
        [this] { return std::optional(world.record().epoch(0).value()); },
        [] {}};
    set("hat", 10);
    set("coat", 10);
    const std::vector both{
        buy({.item = "coat", .quantity = 5}), buy({.item = "hat", .quantity = 5})};
    EXPECT_EQ(telling.deliver(both).delivered, 2U);
    EXPECT_EQ(
        world.psql("SELECT string_agg(aggregateid, ', ') FROM outbox WHERE type = 'stock.low'"),
        "hat"
    );
}

TEST_F(OrdersIntoPostgres, EventsOfOtherTypesAreNoneOfItsBusiness) {
    Event confirmed = buy();
    confirmed.type = domain::EventType::order_confirmed;
    EXPECT_EQ(deliver({confirmed, buy()}).delivered, 2U);
    EXPECT_EQ(deliver({confirmed}).delivered, 1U);
    EXPECT_EQ(figures().sold, 1);
}

TEST_F(OrdersIntoPostgres, WaitsNotLongForARowSomebodyElseHolds) {
    postgres::ConnectionOptions impatient = connection_to(world.url());
    impatient.lock_timeout = 100ms;
    postgres::OrderSink sink{
        {.connection = impatient},
        [this] { return std::optional(world.record().epoch(0).value()); },
        [] {}};
    const auto holder = postgres::Transaction::begin(world.connection());
    ASSERT_TRUE(world.connection().write("UPDATE items SET as_of = now()").has_value());
    const Delivery blocked = sink.deliver(batch(1));
    EXPECT_EQ(blocked.failure->cause, Cause::unavailable);
    EXPECT_FALSE(blocked.failure->exact);
}

TEST(OrdersIntoAPostgresThatDies, AreUnavailableAndStoredOnceLater) {
    OwnServer& server = own_server();
    const std::string url = server.postgres.make_database();
    ASSERT_TRUE(postgres::prepare_database(connection_to(url), 1).has_value());
    postgres::OrderSink sink{{.connection = connection_to(url)}, {}, {}};
    EventMaker events;
    const std::vector first{events.accepted({}, ManualClock{}.wall())};
    EXPECT_EQ(sink.deliver(first).delivered, 1U);
    server.postgres.kill();
    const std::vector both{first[0], events.accepted({}, ManualClock{}.wall())};
    const Delivery down = sink.deliver(both);
    EXPECT_EQ(down.failure->cause, Cause::unavailable);
    EXPECT_FALSE(down.failure->exact);
    server.postgres.start();
    EXPECT_EQ(sink.deliver(both).delivered, 2U);
    EXPECT_EQ(server.postgres.psql(url, "SELECT sold, orders FROM items"), "2|2");
}

TEST(CauseOfASqlFailure, IsTheOperatorsNextMove) {
    struct Row {
        SqlError error;
        std::string_view sqlstate;
        Cause cause;
        std::string_view why;
    };

    const Row rows[] = {
        {SqlError::unavailable, "", Cause::unavailable, "connection refused or lost"},
        {SqlError::outcome_unknown, "", Cause::unavailable, "the same batch again finds out"},
        {SqlError::unavailable, "08006", Cause::unavailable, "connection failure"},
        {SqlError::unavailable, "57P01", Cause::unavailable, "shutting down"},
        {SqlError::unavailable, "55P03", Cause::unavailable, "a lock was not given"},
        {SqlError::unavailable, "53300", Cause::overloaded, "too many connections"},
        {SqlError::unavailable, "53100", Cause::overloaded, "disk full"},
        {SqlError::unavailable, "40001", Cause::conflict, "serialization failure"},
        {SqlError::unavailable, "40P01", Cause::conflict, "deadlock"},
        {SqlError::refused, "22003", Cause::invalid, "number out of range"},
        {SqlError::refused, "23514", Cause::invalid, "check constraint"},
        {SqlError::refused, "23505", Cause::duplicate, "another order has the key"},
        {SqlError::refused, "42501", Cause::unavailable, "missing right: an operator mends it"},
        {SqlError::refused, "XX000", Cause::rejected, "whatever else it says no to"},
        {SqlError::refused, "28P01", Cause::unavailable, "a wrong password is no order's fault"},
        {SqlError::refused, "3D000", Cause::unavailable, "nor is a missing database"},
    };
    for (const Row& row : rows) {
        const postgres::SqlFailure failure{
            .error = row.error, .sqlstate = std::string(row.sqlstate), .text = "x"};
        EXPECT_EQ(postgres::cause_of(failure), row.cause) << row.why;
    }
}

}  // namespace firstcome::test
