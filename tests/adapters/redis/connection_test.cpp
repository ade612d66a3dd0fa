// tests/adapters/redis/connection_test.cpp - one Redis: commands, breaks, deadlines, TLS, rights
#include "adapters/redis/connection.hpp"

#include "tests/adapters/redis/connecting.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

namespace {

using test::RedisServer;
using List = std::initializer_list<std::string_view>;

RedisServer& shared_redis() {
    static RedisServer server;
    return server;
}

ConnectionOptions shared_options() {
    return options_for(shared_redis().url());
}

TEST(Connection, ConnectsWhenFirstUsedAndSaysWhatServerItIs) {
    Connection connection(shared_options(), real_clock);
    EXPECT_EQ(connection.generation(), 0U);
    EXPECT_EQ(text_of(connection.command({"SET", "greeting", "hello"})), "OK");
    EXPECT_EQ(text_of(connection.command({"GET", "greeting"})), "hello");
    EXPECT_EQ(text_of(connection.command({"STRLEN", "greeting"})), "5");
    EXPECT_TRUE(connection.command({"GET", "nothing there"})->is(Reply::Kind::nil));
    EXPECT_EQ(connection.generation(), 1U);
    EXPECT_EQ(connection.server().run_id.size(), 40U);
    EXPECT_TRUE(connection.server().version.starts_with("7."));
    EXPECT_TRUE(connection.server().is_master());
    EXPECT_EQ(connection.server().maxmemory_policy, "noeviction");
    EXPECT_TRUE(connection.server().append_only);
    EXPECT_TRUE(shared_redis().cli({"CLIENT", "LIST"}).contains("name=firstcome"));
}

TEST(Connection, KeepsTheServersWordsWhenItRefuses) {
    Connection connection(shared_options(), real_clock);
    const auto wrong_type = connection.command({"LPUSH", "refused:text", "a"});
    ASSERT_TRUE(wrong_type.has_value());
    const auto refused = connection.command({"GET", "refused:text"});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().error, CommandError::refused);
    EXPECT_EQ(refused.error().code(), "WRONGTYPE");
    EXPECT_EQ(connection.generation(), 1U) << "a refusal does not cost the connection";
}

TEST(Connection, UsesTheDatabaseOfTheUrl) {
    const std::string url = "redis://" + local(shared_redis().port()) + "/7";
    Connection connection(options_for(url), real_clock);
    EXPECT_EQ(text_of(connection.command({"SET", "seven", "7"})), "OK");
    EXPECT_EQ(shared_redis().cli({"-n", "7", "GET", "seven"}), "7");
    EXPECT_EQ(shared_redis().cli({"-n", "0", "EXISTS", "seven"}), "0");
}

TEST(Connection, SendsBytesAsTheyAre) {
    Connection connection(shared_options(), real_clock);
    const std::string bytes("\r\n$3\r\n\0\xff", 9);
    EXPECT_EQ(text_of(connection.command({"SET", "bytes", bytes})), "OK");
    EXPECT_EQ(text_of(connection.command({"GET", "bytes"})), bytes);
}

TEST(Connection, AnswersAPipelineInOrderWithErrorsInTheirPlace) {
    Connection connection(shared_options(), real_clock);
    const std::vector<std::vector<std::string_view>> written{
        {"SET", "pipe", "text"}, {"INCR", "pipe"}, {"GET", "pipe"}};
    const std::vector<Words> commands(written.begin(), written.end());
    const auto replies = connection.pipeline(commands);
    ASSERT_TRUE(replies.has_value());
    ASSERT_EQ(replies->size(), 3U);
    EXPECT_TRUE(replies->at(0).says("OK"));
    EXPECT_TRUE(replies->at(1).is(Reply::Kind::error));
    EXPECT_TRUE(replies->at(2).says("text"));
    EXPECT_TRUE(connection.pipeline({})->empty());
}

TEST(Connection, TakesAScriptWithSixThousandArgumentsAndAsManyAnswers) {
    Connection connection(shared_options(), real_clock);
    const Script script("return ARGV");
    std::vector<std::string> texts;
    for (int at = 0; at < 6000; ++at) texts.push_back("argument-number-" + std::to_string(at));
    const std::vector<std::string_view> arguments(texts.begin(), texts.end());
    for (int round = 0; round < 20; ++round) {
        const auto reply = connection.eval(script, {}, arguments);
        ASSERT_TRUE(reply.has_value()) << reply.error().text;
        ASSERT_EQ(reply->items.size(), 6000U);
        EXPECT_EQ(reply->items[0].text, "argument-number-0");
        EXPECT_EQ(reply->items[5999].text, "argument-number-5999");
    }
}

TEST(Connection, GivesAServerTheScriptItDoesNotKnow) {
    Connection connection(shared_options(), real_clock);
    const Script script("return redis.call('INCR', KEYS[1])");
    EXPECT_EQ(script.sha1(), shared_redis().cli({"SCRIPT", "LOAD", std::string(script.text())}));
    const std::vector<std::string_view> keys{"counted"};
    for (const std::string_view expected : {"1", "2", "3"}) {
        shared_redis().cli({"SCRIPT", "FLUSH"});
        EXPECT_EQ(text_of(connection.eval(script, keys, {})), expected);
    }
    EXPECT_EQ(text_of(connection.eval(script, keys, {})), "4");
    const auto broken = connection.eval(Script("return redis.call('GET')"), {}, {});
    ASSERT_FALSE(broken.has_value());
    EXPECT_EQ(broken.error().error, CommandError::refused);
}

TEST(Connection, NoticesBeforeSendingThatAnIdleConnectionWasClosed) {
    Connection connection(shared_options(), real_clock);
    ASSERT_TRUE(connection.connect());
    for (std::uint64_t generation = 2; generation < 5; ++generation) {
        shared_redis().cli({"CLIENT", "KILL", "TYPE", "normal"});
        EXPECT_EQ(text_of(connection.command({"PING"})), "PONG");
        EXPECT_EQ(connection.generation(), generation);
    }
}

TEST(Connection, SendsNothingOverAnotherConnectionThanTheOneChecked) {
    Connection connection(shared_options(), real_clock);
    const auto unmade = connection.command({"SET", "pinned", "0"}, {.generation = 1});
    ASSERT_FALSE(unmade.has_value());
    EXPECT_EQ(unmade.error().error, CommandError::not_sent);
    ASSERT_TRUE(connection.connect());
    const Call checked{.generation = connection.generation()};
    EXPECT_EQ(text_of(connection.command({"SET", "pinned", "1"}, checked)), "OK");
    shared_redis().cli({"CLIENT", "KILL", "TYPE", "normal"});
    for (int times = 0; times < 2; ++times) {
        const auto late = connection.command({"SET", "pinned", "2"}, checked);
        ASSERT_FALSE(late.has_value());
        EXPECT_EQ(late.error().error, CommandError::not_sent);
        ASSERT_TRUE(connection.connect());
    }
    EXPECT_EQ(shared_redis().cli({"GET", "pinned"}), "1");
}

TEST(Connection, DoesNotKnowTheOutcomeWhenNoAnswerComesInTime) {
    RedisServer redis;
    Connection connection(options_for(redis.url()), real_clock);
    ASSERT_TRUE(connection.connect());
    redis.freeze();
    const auto start = real_clock.monotonic();
    const auto silent = connection.command({"INCR", "unknown"}, {.timeout = 100ms});
    const auto waited = real_clock.monotonic() - start;
    ASSERT_FALSE(silent.has_value());
    EXPECT_EQ(silent.error().error, CommandError::outcome_unknown);
    EXPECT_GE(waited, 100ms);
    EXPECT_LT(waited, 1s);
    ConnectionOptions hasty = options_for(redis.url());
    hasty.connect_timeout = 50ms;
    Connection other(hasty, real_clock);
    const auto unreached = other.command({"INCR", "unknown"});
    ASSERT_FALSE(unreached.has_value());
    EXPECT_EQ(unreached.error().error, CommandError::not_sent) << unreached.error().text;
    redis.thaw();
    EXPECT_EQ(text_of(connection.command({"GET", "unknown"})), "1") << "it was executed after all";
    EXPECT_EQ(connection.generation(), 2U);
}

TEST(Connection, KnowsThatACommandThatDidNotGoOutWholeWasNotExecuted) {
    RedisServer redis;
    Connection connection(options_for(redis.url()), real_clock);
    const std::string huge(std::size_t{32} << 20U, 'x');  // more than the sockets hold
    ASSERT_TRUE(connection.connect());
    redis.freeze();
    const auto one = connection.command({"SET", "one", huge}, {.timeout = 100ms});
    redis.thaw();
    ASSERT_FALSE(one.has_value());
    EXPECT_EQ(one.error().error, CommandError::not_sent) << one.error().text;
    EXPECT_EQ(text_of(connection.command({"EXISTS", "one"})), "0");
    const std::vector<std::vector<std::string_view>> written{{"SET", "a", "1"}, {"SET", "b", huge}};
    const std::vector<Words> commands(written.begin(), written.end());
    redis.freeze();
    const auto several = connection.pipeline(commands, {.timeout = 100ms});
    redis.thaw();
    ASSERT_FALSE(several.has_value());
    EXPECT_EQ(several.error().error, CommandError::outcome_unknown) << several.error().text;
    EXPECT_EQ(text_of(connection.command({"EXISTS", "b"})), "0");
    EXPECT_EQ(text_of(connection.command({"EXISTS", "a"})), "1") << "the first of them was";
}

TEST(Connection, DoesNotKnowTheOutcomeWhenTheServerHangsUpInsteadOfAnswering) {
    RedisServer redis;
    Connection connection(options_for(redis.url()), real_clock);
    EXPECT_EQ(text_of(connection.command({"SET", "kept", "1"})), "OK");
    const std::string first = connection.server().run_id;
    const auto ended = connection.command({"SHUTDOWN", "NOSAVE"});
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(ended.error().error, CommandError::outcome_unknown);
    const auto down = connection.command({"GET", "kept"});
    ASSERT_FALSE(down.has_value());
    EXPECT_EQ(down.error().error, CommandError::not_sent);
    EXPECT_TRUE(down.error().text.contains(local(redis.port()))) << down.error().text;
    redis.kill();
    redis.start();
    EXPECT_EQ(text_of(connection.command({"GET", "kept"})), "1");
    EXPECT_EQ(connection.generation(), 2U);
    EXPECT_NE(connection.server().run_id, first);
}

TEST(Connection, WaitsWhileTheServerIsBusyOrHasTooManyClients) {
    RedisServer redis({"--busy-reply-threshold", "1"});
    Connection first(options_for(redis.url()), real_clock);
    const auto endless = first.eval(Script("while true do end"), {}, {}, {.timeout = 50ms});
    ASSERT_FALSE(endless.has_value());
    EXPECT_EQ(endless.error().error, CommandError::outcome_unknown);
    Connection second(options_for(redis.url()), real_clock);
    const auto busy = second.command({"PING"});
    ASSERT_FALSE(busy.has_value());
    EXPECT_EQ(busy.error().error, CommandError::not_sent) << busy.error().text;
    EXPECT_EQ(busy.error().code(), "BUSY");
    EXPECT_EQ(redis.cli({"SCRIPT", "KILL"}), "OK");
    const auto again = try_for(5s, [&] { return second.command({"PING"}); });
    EXPECT_EQ(text_of(again), "PONG");
    redis.cli({"CONFIG", "SET", "maxclients", "1"});
    const auto full = first.command({"PING"});
    ASSERT_FALSE(full.has_value());
    EXPECT_EQ(full.error().error, CommandError::not_sent);
    EXPECT_TRUE(full.error().text.contains("max number of clients")) << full.error().text;
}

TEST(Connection, DoesNotWriteToAMasterThatWasDemoted) {
    RedisServer redis;
    Connection connection(options_for(redis.url()), real_clock);
    EXPECT_EQ(text_of(connection.command({"SET", "a", "1"})), "OK");
    redis.cli({"REPLICAOF", "127.0.0.1", std::to_string(shared_redis().port())});
    const auto demoted = connection.command({"SET", "a", "2"});
    ASSERT_FALSE(demoted.has_value());
    EXPECT_EQ(demoted.error().error, CommandError::not_sent);
    EXPECT_TRUE(demoted.error().text.contains("is a replica")) << demoted.error().text;
    redis.cli({"REPLICAOF", "NO", "ONE"});
    EXPECT_EQ(text_of(connection.command({"SET", "a", "2"})), "OK");
    redis.cli({"REPLICAOF", "127.0.0.1", std::to_string(shared_redis().port())});
    const auto scripted = connection.eval(Script("return redis.call('INCR', 'a')"), {}, {});
    ASSERT_FALSE(scripted.has_value());
    EXPECT_EQ(scripted.error().error, CommandError::not_sent) << scripted.error().text;
}

TEST(Connection, LogsInByPasswordOrByUser) {
    RedisServer redis;
    redis.cli({"ACL", "SETUSER", "shop", "on", ">s%:", "~*", "+@all"});
    redis.cli({"CONFIG", "SET", "requirepass", "secret"});
    const std::string host = local(redis.port());
    for (const std::string good : {"redis://:secret@", "redis://shop:s%25%3a@"}) {
        Connection connection(options_for(good + host), real_clock);
        EXPECT_EQ(text_of(connection.command({"PING"})), "PONG") << good;
    }
    for (const std::string bad : {"redis://:wrong@", "redis://nobody:secret@"}) {
        Connection connection(options_for(bad + host), real_clock);
        const auto refused = connection.command({"PING"});
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().error, CommandError::refused);
        EXPECT_EQ(refused.error().code(), "WRONGPASS");
        EXPECT_FALSE(refused.error().text.contains("wrong@")) << refused.error().text;
    }
    Connection stranger(options_for("redis://" + host), real_clock);
    const auto unknown = stranger.command({"PING"});
    ASSERT_FALSE(unknown.has_value());
    EXPECT_EQ(unknown.error().error, CommandError::refused);
    EXPECT_EQ(unknown.error().code(), "NOAUTH");
}

}  // namespace

}  // namespace firstcome::redis
