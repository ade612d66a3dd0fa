// tests/adapters/redis/rebuild_test.cpp - whatever Redis forgets, it sells what is left, once
#include "tests/adapters/redis/world.hpp"

namespace firstcome::redis {
namespace {

using domain::Durability;
using ports::LedgerError;
using ports::RecordError;

class RedisRebuild : public ::testing::Test {
protected:
    explicit RedisRebuild(test::RedisServer& server = shared_redis()) : shop(server) {
        node = shop.node();
        EXPECT_TRUE(node->rebuild.keep());
        set_stock(100);
    }

    void set_stock(domain::Units units, std::optional<domain::Units> limit = std::nullopt) {
        auto change = test::stock_set("shoe", units);
        change.per_user_limit = limit;
        EXPECT_EQ(Shop::change(node->ledger, change), "ok");
    }

    domain::OrderId place(const test::Wish& wish) {
        const std::vector<domain::OrderRequest> batch{shop.request(wish)};
        std::vector<domain::Outcome> outcomes(1);
        EXPECT_TRUE(node->ledger.place(batch, outcomes).has_value());
        return std::get<domain::Accepted>(outcomes.front()).order.id;
    }

    std::string item(const std::string& field) {
        return shop.cli({"HGET", "fc:{s0}:item:shoe", field});
    }

    /// Places one more and compares what is left with the truth: nothing may drift.
    void expect_conserved() {
        const auto conserved = node->conservation.check();
        ASSERT_TRUE(conserved.has_value()) << name(conserved.error());
        EXPECT_TRUE(conserved->compared);
        for (const Drift& drift : conserved->drifts) ADD_FAILURE() << drift.what;
    }

    Shop shop;
    std::unique_ptr<Node> node;
};

TEST_F(RedisRebuild, AfterFlushallSellsWhatTheTruthHasLeft) {
    place({.quantity = 5, .key = "stored"});
    EXPECT_TRUE(node->drain());
    place({.quantity = 7, .key = "lost"});
    shop.cli({"FLUSHALL"});
    EXPECT_EQ(shop.place(node->ledger, {}), name(LedgerError::rebuilding));
    const auto rebuilt = node->rebuild.run();
    ASSERT_TRUE(rebuilt.has_value());
    EXPECT_TRUE(rebuilt->was_empty);
    EXPECT_EQ(rebuilt->items, 1U);
    EXPECT_EQ(rebuilt->keys, 1U);
    EXPECT_EQ(item("remaining"), "95");
    EXPECT_EQ(shop.place(node->ledger, {.quantity = 5, .key = "stored"}), "replayed 1");
    EXPECT_EQ(shop.place(node->ledger, {.quantity = 7, .key = "lost"}), "accepted 2");
    expect_conserved();
}

TEST_F(RedisRebuild, ARestoredKeyLivesNoLongerAndNoShorterThanItWouldHave) {
    place({.key = "k"});
    EXPECT_TRUE(node->drain());
    shop.clock.pass(20h);
    shop.cli({"FLUSHALL"});
    EXPECT_TRUE(node->rebuild.keep());
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "replayed 1");
    shop.clock.pass(4h - 1s);
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "replayed 1");
    shop.clock.pass(2s);
    EXPECT_EQ(shop.place(node->ledger, {.key = "k"}), "accepted 2");
    shop.clock.pass(1h);
    shop.cli({"FLUSHALL"});
    EXPECT_TRUE(node->drain() || node->rebuild.keep());
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2") << "the one not stored is gone";
}

TEST_F(RedisRebuild, ARedisThatRestartsWithItsLogLosesNothing) {
    test::RedisServer own{{"--appendfsync", "always"}};
    Shop its_shop{own};
    const auto its_node = its_shop.node();
    EXPECT_TRUE(its_node->rebuild.keep());
    EXPECT_EQ(Shop::change(its_node->ledger, test::stock_set("shoe", 10)), "ok");
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 2, .key = "k"}), "accepted 1");
    EXPECT_TRUE(its_node->drain());
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 3, .key = "waits"}), "accepted 2");
    own.kill();
    own.start();
    its_node->lane.close();
    its_node->leader.close();
    its_node->relay.close();
    EXPECT_EQ(its_shop.place(its_node->ledger, {}), "rebuilding") << "it is another process";
    const auto rebuilt = its_node->rebuild.run();
    ASSERT_TRUE(rebuilt.has_value());
    EXPECT_FALSE(rebuilt->was_empty);
    EXPECT_EQ(rebuilt->waiting, 1U);
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 3, .key = "waits"}), "replayed 2");
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 6}), "insufficient_stock");
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 5}), "accepted 3");
    EXPECT_TRUE(its_node->drain());
    EXPECT_EQ(its_node->record.item(test::item("shoe")).value()->figures.sold, 10);
    EXPECT_TRUE(its_node->conservation.check().value().drifts.empty());
}

TEST_F(RedisRebuild, ARedisThatRestartsEmptyHasTheTruthsMemory) {
    test::RedisServer own;
    Shop its_shop{own};
    const auto its_node = its_shop.node();
    EXPECT_TRUE(its_node->rebuild.keep());
    EXPECT_EQ(Shop::change(its_node->ledger, test::stock_set("shoe", 10)), "ok");
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 2, .key = "k"}), "accepted 1");
    EXPECT_TRUE(its_node->drain());
    own.kill();
    own.lose_data();
    own.start();
    its_node->leader.close();
    its_node->lane.close();
    EXPECT_TRUE(its_node->rebuild.keep());
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 2, .key = "k"}), "replayed 1");
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 9}), "insufficient_stock");
}

TEST_F(RedisRebuild, AReplicaThatMissesTheTailGetsItBack) {
    place({.key = "old"});
    EXPECT_TRUE(node->drain());
    const std::string slice = shop.cli({"KEYS", "fc:{s0}:keys:*"});
    place({.quantity = 3, .key = "young"});
    EXPECT_TRUE(node->drain());
    // As on a server that never heard of the second batch.
    const auto young = bytes_of(shop.hash.hash128("ann", "young"));
    ASSERT_TRUE(node->leader.command({"HDEL", slice, young}).has_value());
    shop.cli({"HSET", "fc:{s0}:item:shoe", "remaining", "99", "sold", "1", "orders", "1"});
    shop.cli({"DEL", "fc:{s0}:epoch"});
    const auto rebuilt = node->rebuild.run();
    ASSERT_TRUE(rebuilt.has_value());
    EXPECT_FALSE(rebuilt->was_empty);
    EXPECT_EQ(shop.place(node->ledger, {.quantity = 3, .key = "young"}), "replayed 2");
    EXPECT_EQ(shop.place(node->ledger, {.key = "old"}), "replayed 1");
    EXPECT_EQ(item("remaining"), "96");
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 3");
}

/// Waits, in real time, until the server has taken over the other one's memory.
void follow(test::RedisServer& server, const test::RedisServer& other) {
    server.cli({"REPLICAOF", "127.0.0.1", std::to_string(other.port())});
    const auto is_in_step = [&] {
        return server.cli({"INFO", "replication"}).contains("master_link_status:up");
    };
    for (int tries = 0; !is_in_step() && tries < 1500; ++tries) ::poll(nullptr, 0, 10);
    ASSERT_TRUE(is_in_step());
}

/// Waits, in real time, until the replica has so many units; WAIT counts one connection's writes.
void hears(test::RedisServer& replica, const std::string& remaining) {
    const auto has_heard = [&] {
        return replica.cli({"HGET", "fc:{s0}:item:shoe", "remaining"}) == remaining;
    };
    for (int tries = 0; !has_heard() && tries < 1500; ++tries) ::poll(nullptr, 0, 10);
    ASSERT_TRUE(has_heard());
}

TEST_F(RedisRebuild, AMasterThatWasAStaleReplicasReplicaInBetweenIsNotBelieved) {
    const std::vector<std::string> at_once{"--repl-diskless-sync-delay", "0"};
    test::RedisServer master{at_once};
    test::RedisServer stale{at_once};
    follow(stale, master);
    Shop its_shop{master};
    const auto its_node = its_shop.node();
    EXPECT_TRUE(its_node->rebuild.keep());
    EXPECT_EQ(Shop::change(its_node->ledger, test::stock_set("shoe", 100)), "ok");
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 5}), "accepted 1");
    EXPECT_TRUE(its_node->drain());
    hears(stale, "95");
    stale.cli({"REPLICAOF", "NO", "ONE"});
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 7}), "accepted 2");
    EXPECT_TRUE(its_node->drain());

    // A failover to the one that never heard of the second order, and back, while nobody asks.
    follow(master, stale);
    master.cli({"REPLICAOF", "NO", "ONE"});
    EXPECT_EQ(master.cli({"HGET", "fc:{s0}:item:shoe", "remaining"}), "95") << "it has forgotten";

    EXPECT_EQ(its_shop.place(its_shop.node({.number = 2})->ledger, {}), "rebuilding")
        << "a new connection sees it at once";
    static_cast<void>(its_node->ledger.refresh());
    EXPECT_EQ(its_shop.place(its_node->ledger, {}), "rebuilding")
        << "an old one at its next look, once a second";
    EXPECT_TRUE(its_node->rebuild.keep()) << "the leader has not looked yet";
    its_shop.clock.pass(1s);
    EXPECT_TRUE(its_node->rebuild.keep());
    EXPECT_EQ(its_shop.place(its_node->ledger, {.quantity = 3}), "accepted 3");
    EXPECT_EQ(master.cli({"HGET", "fc:{s0}:item:shoe", "remaining"}), "85");
    EXPECT_TRUE(its_node->drain());
    EXPECT_TRUE(its_node->conservation.check().value().drifts.empty());
}

TEST_F(RedisRebuild, CountsWhatUsersHoldWhereverItIs) {
    set_stock(100, 5);
    place({.user = "ann", .quantity = 2});
    const auto failing = place({.user = "ann", .quantity = 1});
    EXPECT_TRUE(node->drain());
    place({.user = "ann", .quantity = 1});  // only in the outbox
    EXPECT_TRUE(node->record.fail(failing, "test").has_value());
    EXPECT_TRUE(node->rebuild.run().has_value());
    EXPECT_EQ(shop.place(node->ledger, {.user = "ann", .quantity = 2}), "user_limit_exceeded");
    EXPECT_EQ(node->conservation.check().value().given_back, 1U);
    EXPECT_EQ(shop.place(node->ledger, {.user = "ann", .quantity = 2}), "accepted 4");
    EXPECT_EQ(shop.place(node->ledger, {.user = "ann"}), "user_limit_exceeded");
    expect_conserved();
}

TEST_F(RedisRebuild, ALimitThatAppearsClosesTheShardUntilBuyersAreCounted) {
    place({.user = "ann", .quantity = 2});
    set_stock(100, 3);
    EXPECT_EQ(shop.place(node->ledger, {.user = "bob"}), name(LedgerError::rebuilding));
    EXPECT_TRUE(node->rebuild.keep());
    EXPECT_EQ(shop.place(node->ledger, {.user = "ann", .quantity = 2}), "user_limit_exceeded");
    EXPECT_EQ(shop.place(node->ledger, {.user = "ann"}), "accepted 2");
}

TEST_F(RedisRebuild, UnitsGoBackOnceWhereverAReleaseStopped) {
    for (const bool in_redis_already : {false, true}) {
        const auto order = place({.quantity = 4});
        EXPECT_TRUE(node->drain());
        EXPECT_TRUE(node->record.fail(order, "test").has_value());
        if (in_redis_already) {
            // Released, and then the node died before it could say so.
            ShardCalls calls{{}, 0, node->leader, node->record, shop.clock};
            EXPECT_TRUE(
                calls
                    .eval(
                        scripts().release,
                        {bytes_of(order), "shoe", "ann", std::to_string(4), calls.life()->number}
                    )
                    .has_value()
            );
        }
        EXPECT_TRUE(node->rebuild.run().has_value());
        EXPECT_EQ(item("remaining"), "96") << "taken until it is known to be back";
        EXPECT_EQ(node->conservation.check().value().given_back, 1U);
        EXPECT_EQ(item("remaining"), "100");
        EXPECT_EQ(node->ledger.release(order, "test"), ports::Release::already_released);
        expect_conserved();
    }
}

TEST_F(RedisRebuild, ParkedOrdersKeepTheirUnitsAndTheirPlace) {
    place({.quantity = 4});
    const auto events = node->outbox.pull(10, {}).value();
    shop.truth.park(events.front());
    EXPECT_TRUE(node->outbox.acknowledge(events).has_value());
    shop.cli({"FLUSHALL"});
    EXPECT_TRUE(node->rebuild.keep());
    EXPECT_EQ(item("remaining"), "96");
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2");
}

TEST_F(RedisRebuild, AServerWhoseMemoryIsUsedUpIsRebuiltAndTakesUnitsBack) {
    set_stock(100, 10);
    const auto order = place({.user = "ann", .quantity = 4, .key = "k"});
    EXPECT_TRUE(node->drain());
    shop.cli({"FLUSHALL"});
    shop.cli({"CONFIG", "SET", "maxmemory", "1"});
    const auto rebuilt = node->rebuild.run();
    EXPECT_TRUE(rebuilt.has_value());
    EXPECT_EQ(rebuilt.value_or(Rebuilt{}).keys, 1U);
    EXPECT_EQ(shop.cli({"HGET", "fc:{s0}:bought:shoe", "ann"}), "4");
    EXPECT_EQ(shop.place(node->ledger, {}), name(LedgerError::storage_full));
    EXPECT_EQ(node->ledger.release(order, "test"), ports::Release::released);
    EXPECT_EQ(item("remaining"), "100");
    shop.cli({"CONFIG", "SET", "maxmemory", "0"});
    EXPECT_EQ(shop.place(node->ledger, {.user = "ann", .quantity = 10}), "accepted 2");
    expect_conserved();
}

TEST_F(RedisRebuild, NothingIsSoldWhileItLasts) {
    for (int i = 0; i < 10; ++i) place({.key = "k"});
    EXPECT_TRUE(node->drain());
    shop.cli({"FLUSHALL"});
    int asked = 0;
    Rebuild rebuild{
        {.shard = 0, .server_time = false, .tell_every = {}},
        node->leader,
        node->record,
        shop.clock,
        [&](std::string_view, std::uint64_t) {
            ++asked;
            EXPECT_EQ(shop.place(node->ledger, {}), name(LedgerError::rebuilding));
        }};
    EXPECT_TRUE(rebuild.run().has_value());
    EXPECT_GT(asked, 1);
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2");
}

TEST_F(RedisRebuild, WhoLostTheLeadMeanwhileDoesNoHarm) {
    place({.quantity = 4});
    EXPECT_TRUE(node->drain());
    const auto other = shop.node({.number = 2});
    bool overtaken = false;
    Rebuild slow{
        {.shard = 0, .server_time = false},
        node->leader,
        node->record,
        shop.clock,
        [&](std::string_view, std::uint64_t) {
            if (std::exchange(overtaken, true)) return;
            EXPECT_TRUE(other->rebuild.run().has_value());
            EXPECT_EQ(shop.place(other->ledger, {.quantity = 6}), "accepted 2");
        }};
    EXPECT_EQ(slow.run().error(), RecordError::not_ours);
    EXPECT_TRUE(overtaken);
    EXPECT_EQ(item("remaining"), "90");
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 3");
    EXPECT_TRUE(node->rebuild.keep());
    expect_conserved();
}

TEST_F(RedisRebuild, AsksForItsLeadAsLongAsItLasts) {
    place({.quantity = 4});
    EXPECT_TRUE(node->drain());

    const struct {
        int taken_by;
        bool done;
        const char* why;
    } rows[] = {
        {0, true, "lost by silence and taken again: nobody came in between"},
        {1, true, "kept"},
        {2, false, "another node's: it is stopped at its next step, whatever the epoch"},
    };

    for (const auto& row : rows) {
        shop.truth.lead(0, 1);
        Rebuild slow{
            {.shard = 0, .server_time = false},
            node->leader,
            node->record,
            shop.clock,
            [&](std::string_view, std::uint64_t) {
                shop.truth.lead(0, row.taken_by);
                shop.clock.pass(1s);
            }};
        const auto rebuilt = slow.run();
        EXPECT_EQ(rebuilt.has_value(), row.done) << row.why;
        if (rebuilt) continue;
        EXPECT_EQ(rebuilt.error(), RecordError::not_ours) << row.why;
    }
    shop.truth.lead(0, 1);
    EXPECT_TRUE(node->rebuild.keep());
    expect_conserved();
}

TEST_F(RedisRebuild, IsGivenUpByANodeThatEnds) {
    node->rebuild.hurry(shop.clock.monotonic() + 1s);
    EXPECT_TRUE(node->rebuild.run().has_value()) << "there is time yet";
    shop.clock.pass(1s);
    EXPECT_EQ(node->rebuild.run().error(), RecordError::unavailable);
    EXPECT_EQ(shop.place(node->ledger, {}), "rebuilding");
    const auto next = shop.node({.number = 2});
    EXPECT_TRUE(next->rebuild.keep());
    EXPECT_EQ(shop.place(next->ledger, {}), "accepted 1");
}

TEST_F(RedisRebuild, WithoutTheTruthTheShardStaysClosed) {
    shop.cli({"FLUSHALL"});
    shop.truth.fail_with(RecordError::unavailable);
    EXPECT_EQ(node->rebuild.run().error(), RecordError::unavailable);
    EXPECT_FALSE(node->rebuild.keep());
    EXPECT_EQ(shop.place(node->ledger, {}), name(LedgerError::rebuilding));
    shop.truth.fail_with(std::nullopt);
    EXPECT_TRUE(node->rebuild.keep());
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 1");
}

TEST_F(RedisRebuild, ADamagedOutboxIsForTheOperator) {
    shop.cli({"XADD", "fc:{s0}:outbox", "1-0", "o", "nonsense"});
    EXPECT_EQ(node->rebuild.run().error(), RecordError::corrupt);
    EXPECT_EQ(shop.place(node->ledger, {}), name(LedgerError::rebuilding));
    EXPECT_TRUE(node->rebuild.trouble().value_or("nothing").contains("XDEL fc:{s0}:outbox 1-0"));
    shop.cli({"XDEL", "fc:{s0}:outbox", "1-0"});
    EXPECT_TRUE(node->rebuild.run().has_value());
    EXPECT_EQ(node->rebuild.trouble(), std::nullopt);
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 1");
}

TEST_F(RedisRebuild, AnotherLifetimeOfKeysForgetsNone) {
    place({.key = "stored"});
    EXPECT_TRUE(node->drain());
    place({.key = "waits"});
    const auto longer = shop.node({.number = 2, .key_ttl = 48h});
    EXPECT_TRUE(longer->rebuild.keep());
    for (Node* const each : {node.get(), longer.get()}) {
        EXPECT_EQ(shop.place(each->ledger, {.key = "stored"}), "replayed 1");
        EXPECT_EQ(shop.place(each->ledger, {.key = "waits"}), "replayed 2");
    }
    shop.clock.pass(47h);
    EXPECT_EQ(shop.place(node->ledger, {.key = "stored"}), "replayed 1");
    shop.clock.pass(2h);
    EXPECT_EQ(shop.place(node->ledger, {.key = "stored"}), "accepted 3");
    EXPECT_EQ(shop.cli({"EVAL", "return #redis.call('KEYS', '*:keys:*')", "0"}), "2");
}

// Wherever the order, and what was declared of it, are when Redis is rebuilt. Another lifetime of
// keys has them laid down anew from the outbox and the record.
TEST_F(RedisRebuild, ADeclaredOrderIsAnsweredAsItWasTold) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    const auto pass = [&](std::chrono::milliseconds by) { shop.clock.pass(by); };
    const auto waiting = shop.node(options, pass);
    const auto with_ttl = [&](std::chrono::hours ttl) {
        options.key_ttl = ttl;
        auto other = shop.node(options, pass);
        EXPECT_TRUE(other->rebuild.keep());
        return other;
    };
    const auto told = [&](Node& by) {
        const std::vector batch{shop.request({.key = "k"})};
        std::vector<domain::Outcome> outcomes(1);
        EXPECT_TRUE(by.ledger.place(batch, outcomes).has_value());
        return std::get<domain::Accepted>(outcomes.front()).order.durability;
    };
    EXPECT_EQ(shop.place(waiting->ledger, {.key = "k"}), name(LedgerError::outcome_unknown));
    with_ttl(25h);
    const std::string slice = shop.cli({"KEYS", "fc:{s0}:keys:*"});
    EXPECT_EQ(shop.cli({"HLEN", slice}), "1") << "the key has a record of its own now, still open";
    options.ledger.when_slow = LedgerOptions::WhenSlow::declare;
    const auto declaring = shop.node(options, pass);
    EXPECT_EQ(told(*declaring), Durability::redis);
    options.ledger.when_slow = LedgerOptions::WhenSlow::wait;  // declares nothing itself
    EXPECT_EQ(told(*with_ttl(26h)), Durability::redis) << "both wait";

    const auto events = node->outbox.pull(1, {});
    ASSERT_EQ(events->size(), 1U);
    auto as_asked = *events;
    as_asked.front().order.durability = Durability::database;
    EXPECT_FALSE(shop.truth.deliver(as_asked).failure);
    shop.cli({"XTRIM", "fc:{s0}:outbox", "MAXLEN", "1"});
    EXPECT_EQ(told(*with_ttl(27h)), Durability::redis)
        << "the order is stored, and left the outbox";

    EXPECT_TRUE(node->drain());
    shop.cli({"FLUSHALL"});
    EXPECT_EQ(told(*with_ttl(27h)), Durability::redis) << "Redis forgot all";
}

// Redis came back without its last second: it does not know that the order was acknowledged.
TEST_F(RedisRebuild, WhatWasStoredIsNotDeclaredLess) {
    NodeOptions options;
    options.ledger.level = Durability::database;
    const auto pass = [&](std::chrono::milliseconds by) { shop.clock.pass(by); };
    EXPECT_EQ(
        shop.place(shop.node(options, pass)->ledger, {.key = "k"}),
        name(LedgerError::outcome_unknown)
    );
    const auto events = node->outbox.pull(1, {});
    EXPECT_FALSE(shop.truth.deliver(*events).failure);
    EXPECT_TRUE(node->rebuild.run().has_value());
    options.ledger.when_slow = LedgerOptions::WhenSlow::declare;
    const auto declaring = shop.node(options, pass);
    const std::vector batch{shop.request({.key = "k"})};
    std::vector<domain::Outcome> outcomes(1);
    ASSERT_TRUE(declaring->ledger.place(batch, outcomes).has_value());
    const auto& order = std::get<domain::Accepted>(outcomes.front()).order;
    EXPECT_EQ(order.durability, Durability::database);
}

TEST_F(RedisRebuild, TellsItsProgressOnceAPeriodHoweverManyPiecesThereAre) {
    for (int i = 0; i < 5; ++i) place({.key = "k" + std::to_string(i)});
    EXPECT_TRUE(node->drain());
    const auto told = [&](std::chrono::milliseconds every) {
        std::string all;
        const RebuildOptions options{.writes_a_call = 1, .server_time = false, .tell_every = every};
        Rebuild rebuild{
            options,
            node->leader,
            node->record,
            shop.clock,
            [&](std::string_view stage, std::uint64_t done) {
                all += std::string(stage) + " " + std::to_string(done) + ", ";
            }};
        for (int again = 0; again < 2; ++again) {
            shop.cli({"FLUSHALL"});
            EXPECT_TRUE(rebuild.run().has_value());
        }
        return all;
    };
    EXPECT_EQ(told(1s), "items 1, items 1, ") << "the first of each rebuild";
    const std::string each = "items 1, keys 1, keys 2, keys 3, keys 4, keys 5, ";
    EXPECT_EQ(told(0s), each + each);
}

TEST_F(RedisRebuild, ManyBuyersAndKeysGoInPieces) {
    set_stock(10'000, 5);
    std::vector<domain::OrderRequest> batch;
    for (int i = 0; i < 900; ++i) {
        const std::string user = "user" + std::to_string(i);
        batch.push_back(shop.request({.user = user, .quantity = 3, .key = "k"}));
    }
    std::vector<domain::Outcome> outcomes(batch.size());
    ASSERT_TRUE(node->ledger.place(batch, outcomes).has_value());
    EXPECT_TRUE(node->drain());
    shop.cli({"FLUSHALL"});
    Rebuild rebuild{
        {.shard = 0, .writes_a_call = 7, .server_time = false},
        node->leader,
        node->record,
        shop.clock};
    EXPECT_EQ(rebuild.run()->keys, 900U);
    EXPECT_EQ(shop.cli({"HLEN", "fc:{s0}:bought:shoe"}), "900");
    ASSERT_TRUE(node->ledger.place(batch, outcomes).has_value());
    EXPECT_EQ(test::spoken(outcomes.back()), "replayed 900");
    EXPECT_EQ(shop.place(node->ledger, {.user = "user7", .quantity = 3}), "user_limit_exceeded");
}

}  // namespace
}  // namespace firstcome::redis
