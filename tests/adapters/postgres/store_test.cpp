// tests/adapters/postgres/store_test.cpp - an order is found wherever it is, a list page by page
#include "adapters/postgres/store.hpp"

#include "tests/adapters/postgres/world.hpp"

namespace firstcome::test {

namespace {

using domain::Order;
using domain::OrderStatus;

class OrdersInPostgres : public ::testing::Test {
protected:
    OrdersInPostgres() {
        EXPECT_TRUE(world.record().advance_epoch(0, ports::Epoch{}, "run-1").has_value());
    }

    domain::Event buy(const Bought& bought = {}) {
        return events.accepted(bought, world.clock().wall());
    }

    void store(const domain::Event& event) {
        EXPECT_EQ(world.sink().deliver(std::vector{event}).delivered, 1U);
    }

    Order found(domain::OrderId id) {
        const auto order = orders.find(id);
        EXPECT_TRUE(order.has_value() && order->has_value());
        return **order;
    }

    PostgresWorld world;
    EventMaker events;
    postgres::Store orders{{.connection = connection_to(world.url())}};
};

}  // namespace

TEST_F(OrdersInPostgres, AStoredOrderIsConfirmedAndSafeInTheDatabase) {
    const domain::Event made = buy({.user = "bob", .quantity = 2});
    store(made);
    const Order order = found(made.id);
    EXPECT_EQ(order.status, OrderStatus::confirmed);
    EXPECT_EQ(order.durability, domain::Durability::database);
    EXPECT_EQ(order.user, user("bob"));
    EXPECT_EQ(order.accepted_at, made.order.accepted_at);
    EXPECT_FALSE(orders.find(buy().id).value().has_value());
}

TEST_F(OrdersInPostgres, AParkedOrderIsProcessingUntilItIsGivenUp) {
    const domain::Event parked = buy();
    world.park(parked);
    EXPECT_EQ(found(parked.id).status, OrderStatus::processing);
    world.psql("UPDATE failed_order_events SET status = 'dead', next_attempt = NULL");
    EXPECT_EQ(found(parked.id).status, OrderStatus::processing);
    ASSERT_TRUE(world.record().fail(parked.id, "given up").value().has_value());
    EXPECT_EQ(found(parked.id).status, OrderStatus::failed);
    const auto page = orders.list({.user = user("ann"), .item = {}, .status = {}, .after = {}});
    ASSERT_EQ(page->orders.size(), 1U);
    EXPECT_EQ(page->orders[0].status, OrderStatus::failed);
}

TEST_F(OrdersInPostgres, AListFiltersAndACursorOfSomebodyElseLeadsNowhere) {
    const std::vector made{buy(), buy({.item = "hat"}), buy({.user = "bob"}), buy()};
    for (const domain::Event& each : made) store(each);
    ASSERT_TRUE(world.record().fail(made[3].id, "no").value().has_value());
    const auto listed = [&](const ports::OrderQuery& wanted) {
        std::string sequences;
        const ports::OrderPage page = orders.list(wanted).value();
        for (const Order& order : page.orders) {
            sequences += std::to_string(order.sequence) + " ";
        }
        return sequences;
    };
    ports::OrderQuery query{.user = user("ann"), .item = {}, .status = {}, .after = {}};
    EXPECT_EQ(listed(query), "4 2 1 ");
    query.item = item("hat");
    EXPECT_EQ(listed(query), "2 ");
    query.item.reset();
    query.status = OrderStatus::failed;
    EXPECT_EQ(listed(query), "4 ");
    query.status.reset();
    query.after = made[3].id;
    EXPECT_EQ(listed(query), "2 1 ");
    query.after = made[2].id;
    EXPECT_EQ(listed(query), "");
}

TEST_F(OrdersInPostgres, ACursorWalksTwentyThousandAndOneOrdersEachOnce) {
    world.psql(
        "INSERT INTO orders (order_id, sequence, accepted_at, quantity, shard, user_id, item_id, "
        "durability) SELECT ('01900000-0000-7' || lpad(to_hex(n % 4096), 3, '0') || '-8000-' || "
        "lpad(to_hex(n), 12, '0'))::uuid, n, now(), 1, 0, 'ann', 'shoe', 'redis' "
        "FROM generate_series(1, 20001) n; ANALYZE orders"
    );
    ports::OrderQuery query{
        .user = user("ann"), .item = {}, .status = {}, .limit = 100, .after = {}};
    std::set<domain::OrderId> seen;
    std::optional<domain::OrderId> last;
    for (bool more = true; more;) {
        const auto page = orders.list(query).value();
        for (const Order& order : page.orders) {
            EXPECT_TRUE(!last || order.id < *last);
            last = order.id;
            seen.insert(order.id);
        }
        more = page.next.has_value();
        query.after = page.next;
    }
    EXPECT_EQ(seen.size(), 20001U);
}

TEST_F(OrdersInPostgres, APageIsReadByTheIndexWhoeverElseBought) {
    world.psql(
        "INSERT INTO orders (order_id, sequence, accepted_at, quantity, shard, user_id, item_id, "
        "durability) SELECT gen_random_uuid(), n, now(), 1, 0, 'user' || n % 500, 'shoe', 'redis' "
        "FROM generate_series(1, 20000) n; ANALYZE orders"
    );
    const std::string plan = world.psql(
        "SET plan_cache_mode = force_generic_plan; PREPARE page (text, uuid, text, text, bigint) "
        "AS " +
        std::string(postgres::list_sql) + "; EXPLAIN EXECUTE page ('user7', NULL, NULL, NULL, 21)"
    );
    EXPECT_THAT(plan, ::testing::HasSubstr("Index Scan using orders_user on orders")) << plan;
    EXPECT_THAT(plan, ::testing::Not(::testing::HasSubstr("Seq Scan on orders"))) << plan;
}

TEST_F(OrdersInPostgres, ReadersBeyondTheSessionsWaitForOne) {
    postgres::Pool pool{connection_to(world.url()), 1, 20ms};
    {
        const auto first = pool.take();
        ASSERT_TRUE(first);
        EXPECT_FALSE(pool.take()) << "not longer than it may wait";
    }
    EXPECT_TRUE(pool.take());
}

}  // namespace firstcome::test
