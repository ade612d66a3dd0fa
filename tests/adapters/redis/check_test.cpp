// tests/adapters/redis/check_test.cpp - at start, a Redis that cannot be trusted is named with the
// cure
#include "adapters/redis/check.hpp"

#include "tests/adapters/redis/connecting.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::redis {

namespace {

using test::RedisServer;

ServerCheck check(const std::string& url) {
    ConnectionOptions options = options_for(url);
    options.connect_timeout = 200ms;
    Connection connection(options, real_clock);
    return check_server(connection);
}

std::string error_of(const std::string& url) {
    return check(url).error;
}

TEST(CheckServer, FindsNothingWrongWithAServerThatIsRight) {
    const RedisServer redis;
    const ServerCheck found = check(redis.url());
    EXPECT_EQ(found.error, "");
    EXPECT_TRUE(found.warnings.empty());
}

TEST(CheckServer, SaysWhatToChange) {
    const RedisServer redis({"--requirepass", "secret"});
    const std::string host = local(redis.port());
    const RedisServer replica(
        {"--replicaof", "127.0.0.1 " + std::to_string(redis.port()), "--masterauth", "secret"}
    );
    const RedisServer evicting({"--maxmemory-policy", "allkeys-lru"});
    const RedisServer open;

    struct Row {
        std::string url;
        std::string said;
    };

    const Row rows[] = {
        {"redis://" + local(test::free_port()), "is it running"},
        {"redis://nowhere.invalid", "is redis.url right"},
        {"redis://:wrong@" + host, "correct the user and password"},
        {"redis://" + host, "write the password into redis.url"},
        {"redis://:secret@" + open.url().substr(8), "take the password out"},
        {"redis://" + local(replica.port()), "write the master's address in redis.url"},
        {evicting.url(), "set maxmemory-policy to noeviction, it is allkeys-lru"},
        {"redis+cluster://:secret@" + host, "write redis:// in redis.url"},
        {"rediss://" + host, "does this port speak TLS"},
    };
    for (const Row& row : rows) {
        const std::string error = error_of(row.url);
        EXPECT_TRUE(error.contains(row.said)) << row.url << ": " << error;
        EXPECT_FALSE(error.contains("secret")) << error;
    }
}

TEST(CheckServer, NamesTheRightsThatAUserLacks) {
    const RedisServer redis;
    redis.cli({"ACL", "SETUSER", "blind", "on", ">p", "~*", "+@all", "-info"});
    redis.cli({"ACL", "SETUSER", "mute", "on", ">p", "~*", "+@all", "-eval", "-evalsha"});
    const std::string blind = error_of("redis://blind:p@" + local(redis.port()));
    EXPECT_TRUE(blind.contains("NOPERM") && blind.contains("+info")) << blind;
    const std::string mute = error_of("redis://mute:p@" + local(redis.port()));
    EXPECT_TRUE(mute.contains("NOPERM") && mute.contains("ACL SETUSER")) << mute;
}

TEST(CheckServer, TellsWhatGoesByItselfFromWhatIsToBeChanged) {
    // It rests a while after each command it reads, as in RedisThatLoads.
    RedisServer loading({"--key-load-delay", "10"});
    loading.cli({"EVAL", "for i = 1, 20000 do redis.call('SET', 'key' .. i, 'x') end", "0"});
    loading.kill();
    loading.start_loading();
    const ServerCheck found = check(loading.url());
    EXPECT_TRUE(found.passing);
    EXPECT_TRUE(found.error.contains("it is still reading its data")) << found.error;
    const RedisServer open;
    EXPECT_TRUE(check("redis://" + local(test::free_port())).passing);
    EXPECT_FALSE(check("redis://:secret@" + open.url().substr(8)).passing);
}

TEST(CheckServer, WarnsOfARedisThatForgets) {
    const RedisServer redis({"--appendonly", "no"});
    const ServerCheck found = check(redis.url());
    EXPECT_EQ(found.error, "");
    ASSERT_EQ(found.warnings.size(), 1U);
    EXPECT_TRUE(found.warnings[0].contains("appendonly yes"));
}

TEST(CheckServer, ReadsAnOldServersWordsWithoutMissingWhatItLacks) {
    const Server old = server_of({.host = "h", .port = 1}, "# Server\r\nredis_version:6.2.14\r\n");
    EXPECT_EQ(old.version, "6.2.14");
    EXPECT_EQ(old.run_id, "");
    EXPECT_EQ(complaint_about(old), "the Redis at h:1 is version 6.2.14; install Redis 7 or newer");
}

}  // namespace

}  // namespace firstcome::redis
