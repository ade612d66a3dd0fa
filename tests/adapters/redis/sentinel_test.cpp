// tests/adapters/redis/sentinel_test.cpp - the master is where the Sentinels say, also after it
// died
#include "tests/adapters/redis/connecting.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::redis {

namespace {

using test::RedisServer;
using test::SentinelServer;

/// A master, its replica, and a Sentinel that watches them.
struct Watched {
    Watched() { sentinel.wait_for_replica(); }

    /// The first address answers nobody: the Sentinels are asked in turn.
    [[nodiscard]] ConnectionOptions options(const std::string& name = "mymaster") const {
        return options_for(
            "redis+sentinel://" + local(dead) + "," + local(sentinel.port()) + "/" + name
        );
    }

    std::uint16_t dead = test::free_port();
    RedisServer master{{"--repl-diskless-sync-delay", "0"}};
    RedisServer replica{
        {"--replicaof",
         "127.0.0.1",
         std::to_string(master.port()),
         "--repl-diskless-sync-delay",
         "0"}};
    SentinelServer sentinel{master};
};

TEST(Sentinel, NamesTheMasterAndTheNextOneAfterItWasKilled) {
    Watched watched;
    Connection connection(watched.options(), real_clock);
    EXPECT_EQ(text_of(connection.command({"SET", "a", "1"})), "OK");
    EXPECT_EQ(connection.server().address.port, watched.master.port());
    EXPECT_EQ(text_of(connection.command({"WAIT", "1", "1000"})), "1");
    const std::string first = connection.server().run_id;

    watched.master.kill();
    const auto set = try_for(15s, [&] { return connection.command({"SET", "a", "2"}); });
    EXPECT_EQ(text_of(set), "OK");
    EXPECT_EQ(connection.server().address.port, watched.replica.port());
    EXPECT_NE(connection.server().run_id, first);
    EXPECT_EQ(connection.generation(), 2U);

    // The dead one comes back, believing that it is the master: nobody is sent to it.
    watched.master.start();
    connection.close();
    EXPECT_EQ(text_of(connection.command({"GET", "a"})), "2");
    EXPECT_EQ(connection.server().address.port, watched.replica.port());

    // Handed over while both live, as for maintenance.
    const auto is_replica = [&] {
        return watched.master.cli({"INFO", "replication"}).contains("master_link_status:up");
    };
    for (int tries = 0; !is_replica() && tries < 1500; ++tries) ::poll(nullptr, 0, 10);
    ASSERT_TRUE(connection.connect());
    bool back = false;
    for (int tries = 0; !back && tries < 500; ++tries) {
        watched.sentinel.cli({"SENTINEL", "FAILOVER", "mymaster"});  // again if it was given up
        ::poll(nullptr, 0, 20);
        const auto written = connection.command({"SET", "a", "3"});
        back = written && connection.server().address.port == watched.master.port();
    }
    EXPECT_TRUE(back);
    EXPECT_EQ(watched.master.cli({"GET", "a"}), "3");
}

TEST(Sentinel, IsToldThatNobodyKnowsTheNameOrAnswers) {
    const RedisServer master;
    const SentinelServer sentinel(master);
    const std::string known = "redis+sentinel://" + local(sentinel.port());
    Connection misspelt(options_for(known + "/othermaster"), real_clock);
    const auto unknown = misspelt.connect();
    ASSERT_FALSE(unknown.has_value());
    EXPECT_EQ(unknown.error().error, CommandError::refused);
    EXPECT_TRUE(unknown.error().text.contains("knows no master named othermaster"));
    Connection unheard(
        options_for("redis+sentinel://" + local(test::free_port()) + "/mymaster"), real_clock
    );
    const auto silent = unheard.connect();
    ASSERT_FALSE(silent.has_value());
    EXPECT_EQ(silent.error().error, CommandError::not_sent);
}

}  // namespace

}  // namespace firstcome::redis
