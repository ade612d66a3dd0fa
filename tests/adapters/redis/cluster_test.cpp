// tests/adapters/redis/cluster_test.cpp - a shard is served by the node of its slot, also when it
// moves
#include "tests/adapters/redis/connecting.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

namespace {

using test::RedisCluster;
using test::RedisServer;

RedisCluster& shared_cluster() {
    static RedisCluster cluster;
    return cluster;
}

/// Some shard whose slot lies on that node.
std::string shard_on(std::size_t node) {
    for (int shard = 0;; ++shard) {
        std::string key = "{s" + std::to_string(shard) + "}";
        if (RedisCluster::owner_of(slot_of(key)) == node) return key;
    }
}

ConnectionOptions options_to(std::size_t node, const std::string& shard) {
    auto made = options_for("redis+cluster://" + local(shared_cluster().node(node).port()));
    made.shard_key = shard;
    return made;
}

void on_all_nodes(const std::vector<std::string>& words) {
    for (std::size_t node = 0; node < RedisCluster::size; ++node) {
        EXPECT_EQ(shared_cluster().node(node).cli(words), "OK");
    }
}

/// The owner-to-be learns of it first, and its word then weighs more than a late one of the other.
void give_to(std::size_t owner, const std::string& slot) {
    const std::string id = shared_cluster().id_of(owner);
    shared_cluster().node(owner).cli({"CLUSTER", "BUMPEPOCH"});
    EXPECT_EQ(shared_cluster().node(owner).cli({"CLUSTER", "SETSLOT", slot, "NODE", id}), "OK");
    on_all_nodes({"CLUSTER", "SETSLOT", slot, "NODE", id});
}

TEST(SlotOf, IsThatOfTheSpecification) {
    EXPECT_EQ(slot_of("123456789"), 0x31C3 % 16384);
    EXPECT_EQ(slot_of("fc:{s3}:epoch"), slot_of("{s3}"));
    EXPECT_EQ(slot_of("foo{}{bar}"), slot_of("foo{}{bar}"));
    EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
    EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
    EXPECT_EQ(slot_of(""), 0);
}

TEST(Cluster, ConnectsToTheNodeOfTheShardWhicheverNodeIsAsked) {
    for (std::size_t owner = 0; owner < RedisCluster::size; ++owner) {
        const std::string shard = shard_on(owner);
        EXPECT_EQ(
            shared_cluster().node(0).cli({"CLUSTER", "KEYSLOT", shard}),
            std::to_string(slot_of(shard))
        );
        for (std::size_t asked = 0; asked < RedisCluster::size; ++asked) {
            Connection connection(options_to(asked, shard), real_clock);
            EXPECT_EQ(text_of(connection.command({"SET", "fc:" + shard + ":a", "1"})), "OK");
            EXPECT_EQ(connection.server().address.port, shared_cluster().node(owner).port());
            EXPECT_EQ(connection.generation(), 1U);
        }
    }
}

TEST(Cluster, FollowsASlotThatMoves) {
    const std::string shard = shard_on(0);
    const std::string slot = std::to_string(slot_of(shard));
    const std::string key = shard + ":moving";
    const std::vector<std::string_view> keys{key};
    const Script script("return redis.call('INCR', KEYS[1])");
    RedisServer& from = shared_cluster().node(0);
    RedisServer& to = shared_cluster().node(1);
    Connection connection(options_to(0, shard), real_clock);
    EXPECT_EQ(text_of(connection.command({"SET", key, "1"})), "OK");
    const std::string stays = shard + ":stays";
    EXPECT_EQ(text_of(connection.command({"SET", stays, "x"})), "OK");

    // On the way: what is not here any more is asked for there (ASK), by the command alone.
    to.cli({"CLUSTER", "SETSLOT", slot, "IMPORTING", shared_cluster().id_of(0)});
    from.cli({"CLUSTER", "SETSLOT", slot, "MIGRATING", shared_cluster().id_of(1)});
    EXPECT_EQ(text_of(connection.command({"INCR", key})), "2") << "still here";
    from.cli({"MIGRATE", "127.0.0.1", std::to_string(to.port()), key, "0", "1000"});
    EXPECT_EQ(text_of(connection.command({"INCR", key})), "3");
    EXPECT_EQ(text_of(connection.eval(script, keys, {})), "4") << "NOSCRIPT there, too";
    const auto pinned = connection.eval(script, keys, {}, {.generation = connection.generation()});
    ASSERT_FALSE(pinned.has_value()) << "nobody has checked the node it goes to";
    EXPECT_EQ(pinned.error().error, CommandError::not_sent);
    const std::vector<std::vector<std::string_view>> written{{"INCR", key}, {"PING"}, {"GET", key}};
    const auto piped = connection.pipeline(std::vector<Words>(written.begin(), written.end()));
    ASSERT_TRUE(piped.has_value()) << piped.error().text;
    EXPECT_EQ(piped->at(0).integer, 5);
    EXPECT_EQ(piped->at(2).text, "5");
    const auto split = connection.command({"MGET", key, stays});
    ASSERT_FALSE(split.has_value());
    EXPECT_EQ(split.error().error, CommandError::not_sent);
    EXPECT_EQ(split.error().code(), "TRYAGAIN") << split.error().text;
    EXPECT_EQ(connection.generation(), 1U);

    // Arrived: the connection moves too (MOVED), and says so by its generation.
    const Call checked{.generation = connection.generation()};
    from.cli({"DEL", stays});
    give_to(1, slot);
    const auto unchecked = connection.command({"INCR", key}, checked);
    ASSERT_FALSE(unchecked.has_value()) << "the node there was not checked yet";
    EXPECT_EQ(unchecked.error().error, CommandError::not_sent);
    EXPECT_EQ(text_of(connection.eval(script, keys, {})), "6");
    EXPECT_EQ(connection.generation(), 2U);
    EXPECT_EQ(connection.server().address.port, to.port());

    // And back, met by a pipeline.
    to.cli({"DEL", key});
    give_to(0, slot);
    const auto moved = connection.pipeline(std::vector<Words>(written.begin(), written.end()));
    ASSERT_TRUE(moved.has_value()) << moved.error().text;
    EXPECT_TRUE(moved->at(1).says("PONG"));
    EXPECT_EQ(moved->at(0).integer, 1);
    EXPECT_EQ(moved->at(2).text, "1");
    EXPECT_EQ(connection.server().address.port, from.port());
}

TEST(Cluster, IsPausedForWhileItsSlotIsServedByNobody) {
    const std::string shard = shard_on(2);
    const std::string slot = std::to_string(slot_of(shard));
    Connection connection(options_to(2, shard), real_clock);
    ASSERT_TRUE(connection.connect());
    on_all_nodes({"CLUSTER", "DELSLOTS", slot});
    const auto down = connection.command({"SET", shard, "1"});
    ASSERT_FALSE(down.has_value());
    EXPECT_EQ(down.error().error, CommandError::not_sent);
    EXPECT_EQ(down.error().code(), "CLUSTERDOWN");
    Connection late(options_to(2, shard), real_clock);
    const auto unserved = late.connect();
    ASSERT_FALSE(unserved.has_value());
    EXPECT_EQ(unserved.error().error, CommandError::not_sent);
    EXPECT_EQ(unserved.error().code(), "CLUSTERDOWN");
    EXPECT_EQ(shared_cluster().node(2).cli({"CLUSTER", "ADDSLOTS", slot}), "OK");
    const auto again = try_for(5s, [&] { return connection.command({"SET", shard, "1"}); });
    EXPECT_EQ(text_of(again), "OK");
}

TEST(Cluster, IsNamedToWhoeverTakesItForASingleRedis) {
    const std::string url = "redis://" + local(shared_cluster().node(0).port());
    Connection connection(options_for(url), real_clock);
    const auto moved = try_for(5s, [&] { return connection.command({"SET", shard_on(1), "1"}); });
    ASSERT_FALSE(moved.has_value());
    EXPECT_EQ(moved.error().error, CommandError::refused);
    EXPECT_TRUE(moved.error().text.contains("redis+cluster://")) << moved.error().text;
}

}  // namespace

}  // namespace firstcome::redis
