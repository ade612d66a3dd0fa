// tests/adapters/redis/ledger_test.cpp - many nodes, closed shards, and what each fault leaves
#include "adapters/redis/sale_changes.hpp"
#include "tests/adapters/redis/world.hpp"

#include <array>
#include <poll.h>
#include <set>

namespace firstcome::redis {
namespace {

using domain::Accepted;
using domain::Durability;
using ports::LedgerError;

class RedisLedger : public ::testing::Test {
protected:
    /// Opens the shard and sets the stock.
    std::unique_ptr<Node> open(
        NodeOptions options = {}, Ledger::Rest rest = [](auto) {}
    ) {
        auto node = shop.node(options, std::move(rest));
        EXPECT_TRUE(node->rebuild.keep());
        EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 10)), "ok");
        return node;
    }

    domain::Order order_of(Node& node, const test::Wish& wish) {
        const std::vector<domain::OrderRequest> batch{shop.request(wish)};
        std::vector<domain::Outcome> outcomes(1);
        EXPECT_TRUE(node.ledger.place(batch, outcomes).has_value());
        return std::get<Accepted>(outcomes.front()).order;
    }

    std::string left() { return shop.cli({"HGET", "fc:{s0}:item:shoe", "remaining"}); }

    Shop shop;
};

TEST_F(RedisLedger, TwoNodesSellEveryUnitOnceInOneLine) {
    const auto first = open();
    const auto second = shop.node({.number = 2});
    std::set<domain::Sequence> sequences;
    for (int i = 0; i < 5; ++i) {
        sequences.insert(order_of(*first, {.user = "a"}).sequence);
        sequences.insert(order_of(*second, {.user = "b"}).sequence);
    }
    EXPECT_EQ(sequences.size(), 10U);
    EXPECT_EQ(*sequences.rbegin(), 10U);
    EXPECT_EQ(shop.place(first->ledger, {}), "sold_out");
    EXPECT_EQ(shop.place(second->ledger, {}), "sold_out");
}

TEST_F(RedisLedger, ARepeatOnAnotherNodeIsTheSameAnswer) {
    const auto first = open();
    const auto second = shop.node({.number = 2});
    const domain::Order order = order_of(*first, {.key = "k"});
    const domain::Order again = order_of(*second, {.key = "k"});
    EXPECT_EQ(again.id, order.id);
    EXPECT_EQ(again.accepted_at, order.accepted_at);
    EXPECT_EQ(again.durability, order.durability);
    EXPECT_EQ(left(), "9");
}

void expect_same(const domain::Order& a, const domain::Order& b) {
    EXPECT_EQ(a.id, b.id);
    EXPECT_EQ(a.user, b.user);
    EXPECT_EQ(a.item, b.item);
    EXPECT_EQ(a.quantity, b.quantity);
    EXPECT_EQ(a.sequence, b.sequence);
    EXPECT_EQ(a.accepted_at, b.accepted_at);
}

// Keys of a batch stand for the batch: each must find itself in it, whatever lies between.
TEST_F(RedisLedger, ABatchOfManyKindsAnswersEachRepeatAsItself) {
    const auto first = open();
    EXPECT_EQ(Shop::change(first->ledger, test::stock_set("hat", 10)), "ok");
    const std::vector<test::Wish> wishes{
        {.user = "ann", .item = "shoe", .key = "1"},
        {.user = "bob", .item = "hat"},
        {.user = "cat", .item = "hat", .quantity = 2, .key = "2"},
        {.user = "ann", .item = "shoe", .key = "1"},
        {.user = "dan", .item = "shoe", .quantity = 99, .key = "3"},
        {.user = "eve", .item = "none", .key = "4"},
        {.user = "fay", .item = "shoe", .quantity = 3, .key = "5"},
        {.user = "gus", .item = "hat", .quantity = 4, .key = "6"},
    };
    std::vector<domain::OrderRequest> batch;
    for (const test::Wish& wish : wishes) batch.push_back(shop.request(wish));
    std::vector<domain::Outcome> outcomes(batch.size());
    ASSERT_TRUE(first->ledger.place(batch, outcomes).has_value());
    std::vector<std::string> said;
    for (const domain::Outcome& outcome : outcomes) said.push_back(test::spoken(outcome));
    const std::vector<std::string> expected{
        "accepted 1",
        "accepted 1",
        "accepted 2",
        "replayed 1",
        "insufficient_stock",
        "item_not_found",
        "accepted 2",
        "accepted 3"};
    EXPECT_EQ(said, expected);

    const auto second = shop.node({.number = 2});
    for (const std::size_t at : {0U, 2U, 6U, 7U}) {
        const domain::Order& order = std::get<Accepted>(outcomes[at]).order;
        expect_same(order_of(*second, wishes[at]), order);
    }
    expect_same(std::get<Accepted>(outcomes[3]).order, std::get<Accepted>(outcomes[0]).order);
    EXPECT_EQ(
        shop.place(second->ledger, {.user = "gus", .item = "hat", .quantity = 1, .key = "6"}),
        "idempotency_key_reused"
    );
    EXPECT_TRUE(second->rebuild.run().has_value());
    EXPECT_TRUE(second->drain());
    for (const std::size_t at : {0U, 1U, 2U, 6U, 7U}) {
        const domain::Order& order = std::get<Accepted>(outcomes[at]).order;
        const auto stored = shop.truth.find(order.id).value();
        ASSERT_TRUE(stored.has_value()) << at;
        expect_same(*stored, order);
    }
    EXPECT_EQ(order_of(*first, wishes[6]).id, std::get<Accepted>(outcomes[6]).order.id);
}

TEST_F(RedisLedger, AWholeBatchThatIsRepeatedGetsEachAnswerAgain) {
    const auto node = open();
    std::vector<domain::OrderRequest> batch;
    for (const char* const key : {"1", "2", "3", "4", "5", "6", "7", "8"}) {
        batch.push_back(shop.request({.user = key, .key = key}));
    }
    std::vector<domain::Outcome> first(batch.size());
    ASSERT_TRUE(node->ledger.place(batch, first).has_value());
    std::ranges::reverse(batch);
    std::vector<domain::Outcome> again(batch.size());
    ASSERT_TRUE(node->ledger.place(batch, again).has_value());
    std::ranges::reverse(again);
    for (std::size_t at = 0; at < batch.size(); ++at) {
        EXPECT_TRUE(std::get<Accepted>(again[at]).replayed) << at;
        expect_same(std::get<Accepted>(again[at]).order, std::get<Accepted>(first[at]).order);
    }
    EXPECT_EQ(left(), "2");
}

TEST_F(RedisLedger, ABatchAsLargeAsItMayBeOfTwoItemsIsAnsweredAgainWhole) {
    const auto node = open();
    for (const char* const item : {"shoe", "hat"}) {
        EXPECT_EQ(Shop::change(node->ledger, test::stock_set(item, 1000)), "ok");
    }
    std::vector<domain::OrderRequest> batch;
    for (int i = 0; i < 1024; ++i) {
        const std::string item = i % 3 == 0 ? "hat" : "shoe";
        batch.push_back(shop.request({.item = item, .key = std::to_string(i)}));
    }
    std::vector<domain::Outcome> first(batch.size());
    ASSERT_TRUE(node->ledger.place(batch, first).has_value());
    EXPECT_EQ(test::spoken(first.back()), "accepted 342") << "the last hat";
    std::vector<domain::Outcome> again(batch.size());
    ASSERT_TRUE(node->ledger.place(batch, again).has_value());
    for (std::size_t at = 0; at < batch.size(); ++at) {
        ASSERT_TRUE(std::get<Accepted>(again[at]).replayed) << at;
        expect_same(std::get<Accepted>(again[at]).order, std::get<Accepted>(first[at]).order);
    }
    EXPECT_TRUE(node->drain());
    for (const std::size_t at : {0U, 511U, 1023U}) {
        const auto& order = std::get<Accepted>(first[at]).order;
        EXPECT_EQ(shop.truth.find(order.id).value()->sequence, order.sequence);
    }
}

TEST_F(RedisLedger, WhatIsRefusedLeavesNothingInRedis) {
    const auto node = open();
    const std::string unknown(64, 'x');
    std::vector<domain::OrderRequest> batch{shop.request({.key = "k"})};
    for (const char* const last : {"1", "2", "3", "4"}) {
        const std::string item = unknown.substr(1) + last;
        batch.push_back(shop.request({.item = item, .key = last}));
    }
    std::vector<domain::Outcome> outcomes(batch.size());
    ASSERT_TRUE(node->ledger.place(batch, outcomes).has_value());
    EXPECT_EQ(test::spoken(outcomes.back()), "item_not_found");
    EXPECT_FALSE(shop.cli({"XRANGE", "fc:{s0}:outbox", "-", "+"}).contains("xxx"));
    const std::string slice = shop.cli({"KEYS", "fc:{s0}:keys:*"});
    EXPECT_FALSE(shop.cli({"HVALS", slice}).contains("xxx"));
    EXPECT_EQ(shop.cli({"HLEN", slice}), "3") << "a key, its batch, and that one's heads";
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "replayed 1");
    EXPECT_TRUE(node->drain());
}

// A wait that expires declares all of its batch at once, whatever it holds beside.
TEST_F(RedisLedger, ABatchIsDeclaredWholeAndStaysDeclared) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    options.ledger.when_slow = LedgerOptions::WhenSlow::declare;
    const auto node = open(options, [&](std::chrono::milliseconds by) { shop.clock.pass(by); });
    const std::vector<domain::OrderRequest> batch{
        shop.request({.key = "1"}), shop.request({.user = "bob", .key = "2"}), shop.request({})};
    std::vector<domain::Outcome> outcomes(batch.size());
    ASSERT_TRUE(node->ledger.place(batch, outcomes).has_value());
    for (const domain::Outcome& outcome : outcomes) {
        EXPECT_EQ(std::get<Accepted>(outcome).order.durability, Durability::redis);
    }
    EXPECT_TRUE(node->drain());
    EXPECT_EQ(order_of(*node, {.key = "1"}).durability, Durability::redis);
    EXPECT_EQ(order_of(*node, {.user = "bob", .key = "2"}).durability, Durability::redis);
}

TEST_F(RedisLedger, FiguresAreLastKnownOnesWhileTheServerIsNotHeardOf) {
    const auto node = open();
    EXPECT_TRUE(node->ledger.refresh().has_value());
    EXPECT_TRUE(node->ledger.figures_are_current());
    shop.clock.pass(2s);
    EXPECT_FALSE(node->ledger.figures_are_current());
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 1");
    EXPECT_TRUE(node->ledger.figures_are_current());
}

TEST_F(RedisLedger, AServerThatMayThrowOrdersAwaySellsNothing) {
    const auto node = open();
    shop.cli({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
    (void)node->ledger.refresh();
    EXPECT_EQ(shop.place(node->ledger, {}), "unavailable");
    const auto another = shop.node({.number = 2});
    EXPECT_EQ(shop.place(another->ledger, {}), "unavailable");
    shop.cli({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 1");
    EXPECT_EQ(shop.place(another->ledger, {}), "accepted 2");
}

TEST_F(RedisLedger, ShowsWhatAnotherNodeSoldWhenRefreshed) {
    const auto first = open();
    const auto second = shop.node({.number = 2});
    order_of(*first, {.quantity = 4});
    EXPECT_FALSE(second->ledger.stock(test::item("shoe")).has_value());
    EXPECT_TRUE(second->ledger.refresh().has_value());
    EXPECT_EQ(second->ledger.stock(test::item("shoe"))->remaining, 6);
}

TEST_F(RedisLedger, AShardNobodyOpenedSellsNothing) {
    const auto node = shop.node();
    EXPECT_EQ(shop.place(node->ledger, {}), "rebuilding");
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 1)), "rebuilding");
    EXPECT_EQ(shop.truth.find({}).value(), std::nullopt);
}

TEST_F(RedisLedger, WhoWasAwayDuringARebuildGoesOnInTheNewEpoch) {
    const auto node = open();
    const auto leader = shop.node({.number = 2});
    EXPECT_TRUE(leader->rebuild.run().has_value());
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 1");
}

TEST_F(RedisLedger, AServerThatWasLeftBehindSellsNothing) {
    const auto behind = open();
    order_of(*behind, {});
    // Another server is the recorded one from now on.
    test::RedisServer other;
    Node leader{{.number = 2}, other, shop.truth, shop.clock};
    EXPECT_TRUE(leader.rebuild.run().has_value());
    behind->lane.close();
    EXPECT_EQ(shop.place(behind->ledger, {}), "rebuilding");
    EXPECT_EQ(left(), "9");
    EXPECT_FALSE(behind->drain());
    EXPECT_EQ(shop.place(leader.ledger, {}), "accepted 1") << "what nobody stored is lost with it";
}

TEST_F(RedisLedger, AServerThatWasLeftBehindSellsNothingHoweverLongItsConnectionLives) {
    const auto behind = open();
    const domain::Order before = order_of(*behind, {.key = "before"});
    EXPECT_TRUE(behind->drain());
    test::RedisServer other;
    Node leader{{.number = 2}, other, shop.truth, shop.clock};
    EXPECT_TRUE(leader.rebuild.run().has_value());
    // As the relay of a node that does not lead does each second.
    behind->newest_epoch.heard(behind->record.epoch(0)->number);
    EXPECT_EQ(shop.place(behind->ledger, {}), "rebuilding");
    shop.truth.fail_with(ports::RecordError::unavailable);
    EXPECT_EQ(shop.place(behind->ledger, {}), "rebuilding") << "what is superseded stays so";
    EXPECT_EQ(left(), "9");
    shop.truth.fail_with(std::nullopt);
    EXPECT_EQ(shop.place(leader.ledger, {.key = "before"}), "replayed 1");
    EXPECT_EQ(shop.truth.find(before.id).value()->id, before.id);
}

TEST_F(RedisLedger, WhoBeginsAnEpochElsewhereLeavesTheOldServerWithAllItsConnections) {
    const auto node = open();
    order_of(*node, {});
    ASSERT_TRUE(node->outbox.pull(1, {}).has_value());
    // As a node whose leader's connection broke and was led to a promoted Redis.
    test::RedisServer promoted;
    Connection leader{options_for(promoted.url()), real_clock};
    Rebuild rebuild{
        {.server_time = false, .newest = &node->newest_epoch}, leader, node->record, shop.clock};
    ASSERT_TRUE(rebuild.run().has_value());
    EXPECT_EQ(shop.place(node->ledger, {}), "rebuilding");
    EXPECT_EQ(node->outbox.pull(1, {}).error(), ports::OutboxError::unavailable);
    EXPECT_EQ(left(), "9");
}

TEST_F(RedisLedger, GoesOnSellingWhileTheTruthIsAway) {
    const auto node = open();
    shop.truth.fail_with(ports::RecordError::unavailable);
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 1");
    node->lane.close();
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2") << "on a new connection too";
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 5)), "unavailable");
}

TEST_F(RedisLedger, RefusesWhatWouldWaitBeyondTheBoundAndStillAnswersRepeats) {
    NodeOptions options;
    options.ledger.outbox_entries_max = 2;
    const auto node = open(options);
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "accepted 1");
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2");
    EXPECT_EQ(shop.place(node->ledger, {}), name(LedgerError::backlog));
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "replayed 1");
    EXPECT_EQ(shop.place(node->ledger, {.quantity = 20}), "insufficient_stock");
    EXPECT_EQ(left(), "8");
    EXPECT_TRUE(node->drain());
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 3");
}

TEST_F(RedisLedger, AFullServerSellsNothingAndGoesOnWithRoom) {
    const auto node = open();
    shop.cli({"CONFIG", "SET", "maxmemory", "1"});
    EXPECT_EQ(shop.place(node->ledger, {}), name(LedgerError::storage_full));
    shop.cli({"CONFIG", "SET", "maxmemory", "0"});
    EXPECT_EQ(left(), "10");
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 1");
}

TEST_F(RedisLedger, WhatIsDamagedIsRefusedAndNothingIsWritten) {
    const auto node = open();
    const std::array<std::vector<std::string>, 4> damages{{
        {"HSET", "fc:{s0}:item:shoe", "remaining", "11"},
        {"HSET", "fc:{s0}:item:shoe", "limit", "many"},
        {"HDEL", "fc:{s0}:item:shoe", "sold"},
        {"DEL", "fc:{s0}:moment"},
    }};
    for (const auto& damage : damages) {
        shop.cli(damage);
        EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "rebuilding") << damage[2];
        EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "0");
        EXPECT_TRUE(node->rebuild.run().has_value());
        EXPECT_EQ(left(), "10");
    }
    shop.cli({"SET", "fc:{s0}:outbox", "text"});
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "unavailable");
    EXPECT_EQ(left(), "10");
}

TEST_F(RedisLedger, TooFewReplicasLeaveTheOutcomeUnknown) {
    NodeOptions options;
    options.ledger.replicas_required = 1;
    options.ledger.replica_wait = 20ms;
    const auto node = open(options);
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), name(LedgerError::outcome_unknown));
    const auto lenient = shop.node({.number = 2});
    EXPECT_EQ(shop.place(lenient->ledger, {.key = "k"}), "replayed 1");
}

/// Waits, in real time, until the replica has all its master has.
void wait_in_step(const test::RedisServer& replica) {
    const auto is_in_step = [&] {
        return replica.cli({"INFO", "replication"}).contains("master_link_status:up");
    };
    for (int tries = 0; !is_in_step() && tries < 1500; ++tries) ::poll(nullptr, 0, 10);
    ASSERT_TRUE(is_in_step());
}

TEST(RedisReplica, HasABatchBeforeItIsAnsweredAndOnceGoneLeavesTheOutcomeUnknown) {
    test::RedisServer master({"--repl-diskless-sync-delay", "0"});
    test::RedisServer replica({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
    wait_in_step(replica);
    Shop shop{master};
    NodeOptions options;
    options.ledger.replicas_required = 1;
    options.ledger.replica_wait = 5s;
    const auto node = shop.node(options);
    ASSERT_TRUE(node->rebuild.keep());
    ASSERT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 10)), "ok");
    EXPECT_EQ(shop.place(node->ledger, {.key = "k1"}), "accepted 1");
    EXPECT_EQ(replica.cli({"HGET", "fc:{s0}:item:shoe", "remaining"}), "9") << "it has it already";
    replica.kill();
    options.ledger.replica_wait = 20ms;
    options.number = 2;
    const auto hasty = shop.node(options);
    EXPECT_EQ(shop.place(hasty->ledger, {.key = "k2"}), name(LedgerError::outcome_unknown));
    EXPECT_EQ(shop.place(hasty->ledger, {.key = "k2"}), name(LedgerError::outcome_unknown));
    replica.start();
    wait_in_step(replica);
    EXPECT_EQ(shop.place(node->ledger, {.key = "k2"}), "replayed 2");
    EXPECT_EQ(shop.cli({"HGET", "fc:{s0}:item:shoe", "remaining"}), "8") << "taken once";
}

TEST(RedisThatLoads, SellsNothingUntilItHasReadItsFileAndThenGoesOn) {
    // It rests a while after each command it reads, and looks at its clients after each 1,024.
    test::RedisServer server({"--key-load-delay", "10"});
    Shop shop{server};
    const auto node = shop.node();
    ASSERT_TRUE(node->rebuild.keep());
    ASSERT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 10)), "ok");
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "accepted 1");
    shop.cli({"EVAL", "for i = 1, 20000 do redis.call('SET', 'key' .. i, 'x') end", "0"});
    server.kill();
    server.start_loading();
    ASSERT_TRUE(server.is_loading());
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), name(LedgerError::rebuilding));
    EXPECT_FALSE(node->rebuild.keep());
    EXPECT_TRUE(server.is_loading()) << "all this time";
    for (int tries = 0; server.is_loading() && tries < 1500; ++tries) ::poll(nullptr, 0, 10);
    EXPECT_TRUE(node->rebuild.keep());
    shop.clock.pass(1s);  // a no is not asked again at once
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "replayed 1");
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2");
}

TEST_F(RedisLedger, TheLevelDatabaseIsAnsweredAfterTheRelay) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    std::unique_ptr<Node> node;
    node = open(options, [&](std::chrono::milliseconds) { EXPECT_TRUE(node->drain()); });
    const domain::Order order = order_of(*node, {.key = "k"});
    EXPECT_EQ(order.durability, Durability::database);
    EXPECT_TRUE(shop.truth.find(order.id).value().has_value());
    EXPECT_EQ(order_of(*node, {.key = "k"}).durability, Durability::database);
}

TEST_F(RedisLedger, ASlowTruthLeavesTheOutcomeUnknownAndARepeatGetsIt) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    const auto node = open(options, [&](std::chrono::milliseconds by) { shop.clock.pass(by); });
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), name(LedgerError::outcome_unknown));
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), name(LedgerError::outcome_unknown));
    EXPECT_TRUE(node->drain());
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "replayed 1");
    EXPECT_EQ(left(), "9");
}

TEST_F(RedisLedger, WhatIsDeclaredStaysDeclared) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    options.ledger.when_slow = LedgerOptions::WhenSlow::declare;
    const auto node = open(options, [&](std::chrono::milliseconds by) { shop.clock.pass(by); });
    EXPECT_EQ(order_of(*node, {.key = "k"}).durability, Durability::redis);
    EXPECT_EQ(order_of(*node, {.user = "bob"}).durability, Durability::redis);
    EXPECT_TRUE(node->drain());
    EXPECT_EQ(order_of(*node, {.key = "k"}).durability, Durability::redis);
}

// Each has a batch of its own: more than one call settles.
TEST_F(RedisLedger, ManyThatAreRepeatedAtOnceAreAllDeclared) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    const auto pass = [&](std::chrono::milliseconds by) { shop.clock.pass(by); };
    const auto waiting = open(options, pass);
    EXPECT_EQ(Shop::change(waiting->ledger, test::stock_set("shoe", 1000)), "ok");
    std::vector<domain::OrderRequest> batch;
    for (int i = 0; i < 65; ++i) {
        const std::string key = std::to_string(i);
        const test::Wish wish{.key = key};
        EXPECT_EQ(shop.place(waiting->ledger, wish), name(LedgerError::outcome_unknown));
        batch.push_back(shop.request(wish));
    }
    options.ledger.when_slow = LedgerOptions::WhenSlow::declare;
    const auto declaring = shop.node(options, pass);
    std::vector<domain::Outcome> outcomes(batch.size());
    ASSERT_TRUE(declaring->ledger.place(batch, outcomes).has_value());
    for (const domain::Outcome& outcome : outcomes) {
        EXPECT_EQ(std::get<Accepted>(outcome).order.durability, Durability::redis);
    }
    EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "67") << "65 batches, and two calls";
}

// Its wait is longer than that of the node that a repeat came to.
TEST_F(RedisLedger, WhatAnotherNodeDeclaredIsNotAnsweredAsMore) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    options.ledger.when_slow = LedgerOptions::WhenSlow::declare;
    const auto quick = open(options, [&](std::chrono::milliseconds by) { shop.clock.pass(by); });
    options.ledger.commit_wait = 1h;
    bool declared = false;
    const auto slow = shop.node(options, [&](std::chrono::milliseconds) {
        if (std::exchange(declared, true)) return;
        EXPECT_EQ(order_of(*quick, {.key = "k"}).durability, Durability::redis);
        EXPECT_TRUE(quick->drain());
    });
    EXPECT_EQ(order_of(*slow, {.key = "k"}).durability, Durability::redis);
    EXPECT_TRUE(declared);
}

TEST_F(RedisLedger, IsDeclaredByAServerWhoseMemoryIsUsedUpToo) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    const auto pass = [&](std::chrono::milliseconds by) { shop.clock.pass(by); };
    const auto waiting = open(options, pass);
    EXPECT_EQ(shop.place(waiting->ledger, {.key = "k"}), name(LedgerError::outcome_unknown));
    options.ledger.when_slow = LedgerOptions::WhenSlow::declare;
    const auto declaring = shop.node(options, pass);
    shop.cli({"CONFIG", "SET", "maxmemory", "1"});
    EXPECT_EQ(shop.place(declaring->ledger, {.key = "k"}), "replayed 1");
    shop.cli({"CONFIG", "SET", "maxmemory", "0"});
    EXPECT_EQ(shop.cli({"XLEN", "fc:{s0}:outbox"}), "2") << "the record will hear of it";
    EXPECT_EQ(order_of(*declaring, {.key = "k"}).durability, Durability::redis);
}

TEST_F(RedisLedger, AnEntryThatAnotherLifeLostIsNeverTakenForRelayed) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    const auto leader = shop.node({.number = 2});
    bool lost = false;
    const auto node = open(options, [&](std::chrono::milliseconds) {
        if (std::exchange(lost, true)) return;
        shop.cli({"FLUSHALL"});
        EXPECT_TRUE(leader->rebuild.keep());
        EXPECT_EQ(shop.place(leader->ledger, {.user = "bob"}), "accepted 1");
        EXPECT_TRUE(leader->drain());
    });
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), name(LedgerError::outcome_unknown));
    EXPECT_TRUE(lost);
}

TEST_F(RedisLedger, NothingIsPromisedOfABatchSentToAServerThatDied) {
    test::RedisServer own;
    Shop its_shop{own};
    const auto node = its_shop.node();
    EXPECT_TRUE(node->rebuild.keep());
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 10)), "ok");
    EXPECT_EQ(its_shop.place(node->ledger, {}), "accepted 1");
    own.freeze();
    EXPECT_EQ(its_shop.place(node->ledger, {.key = "k"}), name(LedgerError::outcome_unknown));
    own.thaw();
    // Whichever of the two it reads first is the order; the other one is its repeat.
    const std::string after = its_shop.place(node->ledger, {.key = "k"});
    EXPECT_TRUE(after == "replayed 2" || after == "accepted 2") << after;
    EXPECT_EQ(its_shop.place(node->ledger, {.key = "k"}), "replayed 2");
    EXPECT_EQ(own.cli({"HGET", "fc:{s0}:item:shoe", "sold"}), "2");
    own.kill();
    const std::string answer = its_shop.place(node->ledger, {.key = "k"});
    EXPECT_TRUE(answer == "unavailable" || answer == "outcome_unknown") << answer;
    EXPECT_EQ(its_shop.place(node->ledger, {.key = "k"}), "unavailable");
}

TEST_F(RedisLedger, StockIsNeverLoweredBelowWhatIsSoldAndNotStoredYet) {
    const auto node = open();
    order_of(*node, {.quantity = 6});
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 5)), "below_committed");
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 6)), "ok");
    EXPECT_EQ(shop.place(node->ledger, {}), "sold_out");
}

TEST_F(RedisLedger, AnOlderStockChangeThatArrivesLateChangesNothing) {
    const auto node = open();
    const auto older = node->record.item(test::item("shoe")).value().value();
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 3)), "ok");
    ShardCalls late{{}, 0, node->leader, node->record, shop.clock};
    EXPECT_TRUE(eval_stock(late, StockStep::put, older).has_value());
    EXPECT_EQ(left(), "3");
}

TEST_F(RedisLedger, AReleaseThatStoppedHalfwayIsFinishedByTheNextOne) {
    const auto node = open();
    const domain::Order order = order_of(*node, {.quantity = 4});
    EXPECT_TRUE(node->drain());
    EXPECT_TRUE(node->record.fail(order.id, "test").value()->first);  // and then its node died
    const auto other = shop.node({.number = 2});
    EXPECT_EQ(other->ledger.release(order.id, "test"), ports::Release::released);
    EXPECT_EQ(node->ledger.release(order.id, "test"), ports::Release::already_released);
    EXPECT_EQ(left(), "10");
    // However late a third one comes, who asked the record before it knew.
    ShardCalls late{{}, 0, node->leader, node->record, shop.clock};
    const auto life = late.life().value();
    EXPECT_FALSE(give_back(late, node->record, order, life).value().now);
    EXPECT_EQ(left(), "10");
}

TEST_F(RedisLedger, UnitsAreNotGivenBackByWhoAskedTheRecordBeforeARebuild) {
    const auto node = open();
    const domain::Order order = order_of(*node, {.quantity = 4});
    EXPECT_TRUE(node->drain());
    EXPECT_TRUE(node->record.fail(order.id, "test").value()->first);
    ShardCalls late{{}, 0, node->leader, node->record, shop.clock};
    const auto before = late.life().value();
    EXPECT_EQ(node->ledger.release(order.id, "test"), ports::Release::released);
    EXPECT_TRUE(node->rebuild.run().has_value());
    shop.clock.pass(1s);
    EXPECT_FALSE(give_back(late, node->record, order, before).has_value());
    EXPECT_EQ(left(), "10");
}

TEST_F(RedisLedger, UnitsGivenBackInASaleThatIsLostBeforeItIsNotedAreGivenBackAgain) {
    const auto node = open();
    const domain::Order order = order_of(*node, {.quantity = 4});
    EXPECT_TRUE(node->drain());
    const auto leader = shop.node({.number = 2});
    shop.truth.when_given_back([&] {
        EXPECT_EQ(left(), "10");
        shop.cli({"FLUSHALL"});
        EXPECT_TRUE(leader->rebuild.run().has_value());
        EXPECT_EQ(left(), "6") << "read as taken";
    });
    EXPECT_EQ(node->ledger.release(order.id, "test"), ports::Release::released);
    EXPECT_EQ(left(), "10");
    EXPECT_TRUE(node->record.not_given_back(0, 10)->empty());
    EXPECT_TRUE(node->conservation.check()->drifts.empty());
}

TEST_F(RedisLedger, UnitsGivenBackInASaleThatIsLostAreFinishedByTheLeaderWhenTheirNodeDies) {
    const auto node = open();
    const domain::Order order = order_of(*node, {.quantity = 4});
    EXPECT_TRUE(node->drain());
    EXPECT_TRUE(node->record.fail(order.id, "test").value()->first);
    const auto leader = shop.node({.number = 2});
    shop.truth.when_given_back([&] { EXPECT_TRUE(leader->rebuild.run().has_value()); });
    ShardCalls calls{{}, 0, node->leader, node->record, shop.clock};
    const auto life = calls.life().value();
    const auto given = give_back(calls, node->record, order, life);
    ASSERT_FALSE(given.has_value());
    EXPECT_EQ(given.error().error, LedgerError::rebuilding);
    EXPECT_EQ(left(), "6");
    EXPECT_EQ(leader->conservation.check()->given_back, 1U);
    EXPECT_EQ(left(), "10");
    EXPECT_TRUE(leader->conservation.check()->drifts.empty());
}

TEST_F(RedisLedger, TwoNodesThatReleaseAnOrderAtOnceGiveItBackOnce) {
    const auto node = open();
    const domain::Order order = order_of(*node, {.quantity = 4});
    ShardCalls calls{{}, 0, node->leader, node->record, shop.clock};
    // Neither has told the record yet.
    const std::string epoch = calls.life()->number;
    for (const int moved : {1, 0}) {
        const auto reply =
            calls.eval(scripts().release, {bytes_of(order.id), "shoe", "ann", "4", epoch});
        ASSERT_TRUE(reply.has_value());
        EXPECT_EQ(reply->items.at(0).integer, moved);
        EXPECT_EQ(left(), "10");
    }
}

TEST_F(RedisLedger, KeysLeaveMemoryWhenNoneOfTheirTimeCanLive) {
    const auto node = open();
    for (int day = 0; day < 4; ++day) {
        EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "accepted " + std::to_string(day + 1));
        shop.clock.pass(24h);
    }
    shop.clock.pass(240h);
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "accepted 5");
    EXPECT_EQ(shop.cli({"EVAL", "return #redis.call('KEYS', '*:keys:*')", "0"}), "1");
    EXPECT_EQ(shop.cli({"TTL", "fc:{s0}:outbox"}), "-1") << "nothing else ever expires";
}

}  // namespace
}  // namespace firstcome::redis
