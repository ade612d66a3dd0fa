// tests/adapters/redis/outbox_test.cpp - batches wait in order, and leave when all of one is stored
#include "tests/adapters/redis/world.hpp"

namespace firstcome::redis {
namespace {

class RedisOutbox : public ::testing::Test {
protected:
    RedisOutbox() {
        EXPECT_TRUE(node->rebuild.keep());
        EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 1000)), "ok");
    }

    /// One batch of `size` orders; their ids.
    std::vector<domain::OrderId> place(std::size_t size) {
        std::vector<domain::OrderRequest> batch(size, shop.request({}));
        std::vector<domain::Outcome> outcomes(size);
        EXPECT_TRUE(node->ledger.place(batch, outcomes).has_value());
        std::vector<domain::OrderId> ids;
        for (const auto& each : outcomes) ids.push_back(std::get<domain::Accepted>(each).order.id);
        return ids;
    }

    std::vector<domain::Event> pull(std::size_t max = 100) {
        auto events = node->outbox.pull(max, {});
        EXPECT_TRUE(events.has_value());
        return events.value_or(std::vector<domain::Event>{});
    }

    Shop shop;
    std::unique_ptr<Node> node = shop.node();
};

TEST_F(RedisOutbox, GivesWhatWasAcceptedInOrderUntilItIsAcknowledged) {
    auto request = shop.request({.user = "ann", .quantity = 2, .key = "k"});
    request.trace = {.trace_high = 1, .trace_low = 2, .span = 3, .sampled = true};
    std::vector<domain::Outcome> outcomes(1);
    ASSERT_TRUE(node->ledger.place({&request, 1}, outcomes).has_value());
    const domain::Order order = std::get<domain::Accepted>(outcomes[0]).order;
    const auto later = place(2);
    for (int again = 0; again < 2; ++again) {
        const auto events = pull();
        ASSERT_EQ(events.size(), 3U);
        EXPECT_EQ(events[0].type, domain::EventType::order_accepted);
        EXPECT_EQ(events[0].id, order.id);
        EXPECT_EQ(events[0].order.user, order.user);
        EXPECT_EQ(events[0].order.item, order.item);
        EXPECT_EQ(events[0].order.quantity, 2);
        EXPECT_EQ(events[0].order.sequence, 1U);
        EXPECT_EQ(events[0].order.accepted_at, order.accepted_at);
        EXPECT_EQ(events[0].order.durability, domain::Durability::redis);
        EXPECT_EQ(events[0].key, request.key);
        EXPECT_EQ(events[0].trace.span, 3U);
        EXPECT_TRUE(events[0].trace.sampled);
        EXPECT_EQ(events[0].occurred_at, order.accepted_at);
        EXPECT_FALSE(events[1].key.has_value());
        EXPECT_EQ(events[2].id, later[1]);
    }
    EXPECT_TRUE(node->outbox.acknowledge(pull()).has_value());
    EXPECT_TRUE(pull().empty());
}

TEST_F(RedisOutbox, ABatchStaysUntilItsLastEventIsAcknowledged) {
    const auto first = place(3);
    const auto second = place(2);
    auto events = pull();
    ASSERT_EQ(events.size(), 5U);
    EXPECT_TRUE(node->outbox.acknowledge(std::span(events).first(1)).has_value());
    EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "2");
    events = pull();
    ASSERT_EQ(events.size(), 4U) << "what is left of the first batch, and the second";
    EXPECT_EQ(events.front().id, first[1]);
    EXPECT_TRUE(node->outbox.acknowledge(std::span(events).first(3)).has_value());
    EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "1");
    events = pull();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events.front().id, second[1]);
}

TEST_F(RedisOutbox, GivesAboutAsManyAsAskedInWholeBatches) {
    for (int i = 0; i < 10; ++i) place(8);
    std::size_t seen = 0;
    while (true) {
        const auto events = pull(20);
        if (events.empty()) break;
        EXPECT_EQ(events.size() % 8, 0U);
        EXPECT_LE(events.size(), 24U);
        seen += events.size();
        EXPECT_TRUE(node->outbox.acknowledge(events).has_value());
    }
    EXPECT_EQ(seen, 80U);
}

TEST_F(RedisOutbox, SaysHowMuchWaitsAndForHowLong) {
    EXPECT_EQ(node->outbox.depth().pending, 0U);
    place(3);
    shop.clock.pass(4s);
    place(2);
    const auto events = pull(1);
    EXPECT_EQ(node->outbox.depth().pending, 5U);
    EXPECT_EQ(node->outbox.depth().oldest_age, 4s);
    EXPECT_TRUE(node->outbox.acknowledge(events).has_value());
    EXPECT_EQ(node->outbox.depth().pending, 2U);
    EXPECT_LT(node->outbox.depth().oldest_age, 4s);
    EXPECT_TRUE(node->drain());
    EXPECT_EQ(node->outbox.depth().pending, 0U);
    EXPECT_EQ(node->outbox.depth().oldest_age, 0s);
}

TEST_F(RedisOutbox, WaitsForWhatComes) {
    EXPECT_TRUE(node->outbox.pull(10, 20ms)->empty());
    place(1);
    EXPECT_EQ(node->outbox.pull(10, 10s)->size(), 1U);
}

TEST_F(RedisOutbox, AcknowledgesNothingInAnotherEpoch) {
    shop.cli({"SET", "fc:{s0}:moment", "5000000000000000"});  // later than any to come
    place(1);
    const auto events = pull();
    shop.cli({"FLUSHALL"});
    EXPECT_TRUE(node->rebuild.keep());
    EXPECT_EQ(shop.place(node->ledger, {.user = "bob"}), "accepted 1");
    EXPECT_EQ(node->outbox.acknowledge(events).error(), ports::OutboxError::unavailable);
    EXPECT_EQ(pull().front().order.user, test::user("bob"));
    EXPECT_EQ(node->outbox.epoch()->number, 2U);
}

TEST_F(RedisOutbox, ADamagedEntryHoldsTheLineAndSaysWhatToDo) {
    place(1);
    shop.cli({"XADD", "fc:{s0}:outbox", "5000000000000000-0", "o", "nonsense"});
    const auto before = pull();
    EXPECT_EQ(before.size(), 1U) << "what stands before it goes on its way";
    EXPECT_TRUE(node->outbox.acknowledge(before).has_value());
    EXPECT_EQ(node->outbox.damage(), std::nullopt);
    for (int again = 0; again < 2; ++again) {
        EXPECT_EQ(node->outbox.pull(10, {}).error(), ports::OutboxError::unavailable);
        EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "1") << "it is not skipped";
    }
    const std::string said = node->outbox.damage().value_or("nothing");
    EXPECT_TRUE(said.contains("entry 5000000000000000-0 of fc:{s0}:outbox")) << said;
    EXPECT_TRUE(said.contains("(XDEL fc:{s0}:outbox 5000000000000000-0)")) << said;
    EXPECT_EQ(shop.cli({"XDEL", "fc:{s0}:outbox", "5000000000000000-0"}), "1");
    EXPECT_TRUE(pull().empty());
    EXPECT_EQ(node->outbox.damage(), std::nullopt) << "mended";
}

TEST_F(RedisOutbox, EveryNodeSaysHowMuchWaitsWhoeverReadsIt) {
    const auto other = shop.node({.number = 2});
    const auto refreshed = [&] {
        EXPECT_TRUE(other->ledger.refresh().has_value());
        return other->ledger.waiting();
    };
    EXPECT_EQ(refreshed().pending, 0U);
    EXPECT_EQ(refreshed().oldest_age, 0s);
    place(3);
    shop.clock.pass(4s);
    place(2);
    EXPECT_EQ(refreshed().pending, 5U);
    EXPECT_EQ(refreshed().oldest_age, 4s);
    shop.clock.pass(1s);
    EXPECT_EQ(other->ledger.waiting().oldest_age, 5s) << "grows while nobody can look";
    EXPECT_TRUE(node->drain());
    EXPECT_EQ(refreshed().pending, 0U);
}

TEST_F(RedisOutbox, AClosedShardHasNoLine) {
    place(1);
    shop.cli({"DEL", "fc:{s0}:epoch"});
    EXPECT_EQ(node->outbox.pull(10, {}).error(), ports::OutboxError::unavailable);
}

TEST_F(RedisOutbox, AnOrderIsFoundInItUntilItIsStored) {
    OutboxReader reader{0, node->leader, shop.clock};
    std::vector<domain::OrderId> ids;
    for (int i = 0; i < 100; ++i) {
        for (const auto& id : place(2)) ids.push_back(id);
        shop.clock.pass(1s);
        if (i == 50) shop.clock.step_wall(30min);
    }
    for (const domain::OrderId& id : ids) {
        const auto found = reader.find(id).value();
        ASSERT_TRUE(found.has_value());
        EXPECT_EQ(found->id, id);
        EXPECT_EQ(found->status, domain::OrderStatus::processing);
    }
    auto guessed = ids.front();
    guessed.low ^= 1U;
    EXPECT_FALSE(reader.find(guessed).value().has_value());
    EXPECT_TRUE(node->drain());
    EXPECT_FALSE(reader.find(ids.front()).value().has_value());
}

TEST_F(RedisOutbox, AnOrderIsFoundThoughTheClocksOfNodeAndServerAreADayApart) {
    NodeOptions options;
    options.ledger.server_time = true;  // an id has the node's time, its order the server's
    node = shop.node(options);
    OutboxReader reader{0, node->leader, shop.clock};
    for (const auto apart : {-24h, 24h}) {
        shop.clock.step_wall(real_clock.wall() + apart - shop.clock.wall());
        const domain::OrderId id = place(1).front();
        const auto found = reader.find(id).value();
        ASSERT_TRUE(found.has_value()) << apart / 1h << " h";
        EXPECT_EQ(found->id, id);
    }
    shop.clock.step_wall(72h);
    domain::OrderIdMaker others{0, 0, shop.entropy};
    EXPECT_FALSE(reader.find(others.next(shop.clock.wall())).value().has_value());
}

/// A clock on which each look takes a second.
class SlowClock final : public base::Clock {
public:
    [[nodiscard]] base::MonotonicTime monotonic() const override { return now_ += 1s; }

    [[nodiscard]] base::WallTime wall() const override { return {}; }

private:
    mutable base::MonotonicTime now_{1h};
};

TEST_F(RedisOutbox, IsNotLookedThroughForEver) {
    const SlowClock slow;
    OutboxReader reader{0, node->leader, slow};
    std::vector<domain::OrderId> ids;
    for (int i = 0; i < 300; ++i) ids.push_back(place(1).front());
    EXPECT_EQ(reader.find(ids.front()).value()->id, ids.front()) << "found at the first look";
    auto guessed = ids.front();
    guessed.low ^= 1U;
    const auto found = reader.find(guessed);
    ASSERT_FALSE(found.has_value()) << "nobody knows whether it is there";
    EXPECT_EQ(found.error().error, CommandError::not_sent);
}

TEST_F(RedisOutbox, LeavesAServerWhoseMemoryIsUsedUp) {
    place(3);
    shop.cli({"CONFIG", "SET", "maxmemory", "1"});
    EXPECT_EQ(shop.place(node->ledger, {}), name(ports::LedgerError::storage_full));
    EXPECT_TRUE(node->drain());
    EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "0");
    shop.cli({"CONFIG", "SET", "maxmemory", "0"});
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 4");
}

/// Waits for the record, in vain.
NodeOptions at_level_database(LedgerOptions::WhenSlow when_slow) {
    NodeOptions options;
    options.ledger.level = domain::Durability::database;
    options.ledger.when_slow = when_slow;
    return options;
}

TEST_F(RedisOutbox, WhatIsDeclaredStandsBehindItsOrdersAndIsNoEvent) {
    const auto options = at_level_database(LedgerOptions::WhenSlow::declare);
    node = shop.node(options, [&](std::chrono::milliseconds by) { shop.clock.pass(by); });
    const std::vector batch{shop.request({.key = "1"}), shop.request({.user = "bob", .key = "2"})};
    std::vector<domain::Outcome> outcomes(2);
    ASSERT_TRUE(node->ledger.place(batch, outcomes).has_value());
    const auto order = std::get<domain::Accepted>(outcomes[1]).order;
    const auto entries = [&] { return shop.cli({"XLEN", "fc:{s0}:outbox"}); };
    EXPECT_EQ(entries(), "2") << "they, and what is declared of them";
    EXPECT_EQ(shop.place(node->ledger, {.key = "1"}), "replayed 1");
    EXPECT_EQ(entries(), "2") << "once";
    OutboxReader reader{0, node->lane, shop.clock};
    EXPECT_EQ(reader.pending().value(), 2U);
    EXPECT_EQ(reader.find(order.id).value()->durability, domain::Durability::redis);

    const auto events = pull(2);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[1].order.durability, domain::Durability::redis) << "read with it";
    auto before = events;
    for (auto& each : before) each.order.durability = domain::Durability::database;
    EXPECT_EQ(shop.truth.deliver(before).delivered, 2U) << "as read before it was declared";
    shop.truth.fail_with(ports::RecordError::unavailable);
    EXPECT_FALSE(node->outbox.acknowledge(events).has_value());
    EXPECT_EQ(entries(), "2") << "nothing is forgotten before";
    shop.truth.fail_with(std::nullopt);
    EXPECT_TRUE(node->outbox.acknowledge(events).has_value());
    EXPECT_EQ(entries(), "0");
    EXPECT_EQ(shop.truth.find(order.id).value()->durability, domain::Durability::redis);
}

// The relay had pulled them before somebody's wait for them expired.
TEST_F(RedisOutbox, WhatIsDeclaredOfStoredOrdersReachesTheRecordByItself) {
    const auto pass = [&](std::chrono::milliseconds by) { shop.clock.pass(by); };
    const auto waiting = shop.node(at_level_database(LedgerOptions::WhenSlow::wait), pass);
    EXPECT_EQ(shop.place(waiting->ledger, {.key = "1"}), name(ports::LedgerError::outcome_unknown));
    const auto events = pull();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(shop.truth.deliver(events).delivered, 1U);
    const auto recorded = [&] { return shop.truth.find(events[0].id).value()->durability; };
    EXPECT_EQ(recorded(), domain::Durability::database);
    const auto declaring = shop.node(at_level_database(LedgerOptions::WhenSlow::declare), pass);
    EXPECT_EQ(shop.place(declaring->ledger, {.key = "1"}), "replayed 1");
    EXPECT_TRUE(node->outbox.acknowledge(events).has_value());
    EXPECT_EQ(recorded(), domain::Durability::database);
    EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "1");
    EXPECT_EQ(node->outbox.depth().pending, 0U);
    EXPECT_EQ(node->outbox.depth().oldest_age.count(), 0) << "no order waits";
    EXPECT_TRUE(pull().empty());
    EXPECT_EQ(recorded(), domain::Durability::redis);
    EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "0");
}

TEST_F(RedisOutbox, AReaderSeesWhenTheLineHasPassed) {
    OutboxReader reader{0, node->leader, shop.clock};
    EXPECT_FALSE(reader.end().value().has_value());
    place(1);
    const auto end = reader.end().value().value();
    const auto first = pull();
    place(1);
    EXPECT_FALSE(reader.has_passed(end).value());
    EXPECT_TRUE(node->outbox.acknowledge(first).has_value());
    EXPECT_TRUE(reader.has_passed(end).value()) << "what came later does not count";
}

}  // namespace
}  // namespace firstcome::redis
