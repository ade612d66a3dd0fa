// tests/distributed/servers_test.cpp - the servers of the tests are real, and survive being killed
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

namespace firstcome::test {

TEST(Servers, RedisKeepsItsDataAcrossAKillUnlessItIsTakenAway) {
    RedisServer redis({"--appendfsync", "always"});
    EXPECT_EQ(redis.cli({"SET", "a", "1"}), "OK");
    redis.kill();
    redis.start();
    EXPECT_EQ(redis.cli({"GET", "a"}), "1");
    redis.kill();
    redis.lose_data();
    redis.start();
    EXPECT_EQ(redis.cli({"GET", "a"}), "");
}

TEST(Servers, PostgresKeepsWhatWasCommittedAcrossAKill) {
    PostgresServer postgres;
    const std::string url = postgres.make_database();
    postgres.psql(url, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)");
    postgres.kill();
    postgres.start();
    EXPECT_EQ(postgres.psql(url, "SELECT n FROM t"), "7");
}

}  // namespace firstcome::test
