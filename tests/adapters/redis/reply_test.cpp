// tests/adapters/redis/reply_test.cpp - bytes to replies: every kind, every cut, every limit
#include "adapters/redis/reply.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

namespace firstcome::redis {

namespace {

/// Compact and complete: `[1,"a",nil,+OK,-ERR no]`.
std::string shown(const Reply& reply) {
    switch (reply.kind) {
        case Reply::Kind::nil: return "nil";
        case Reply::Kind::status: return "+" + reply.text;
        case Reply::Kind::error: return "-" + reply.text;
        case Reply::Kind::integer: return std::to_string(reply.integer);
        case Reply::Kind::text: return '"' + reply.text + '"';
        case Reply::Kind::array: break;
    }
    std::string all = "[";
    for (const Reply& each : reply.items) all += (all.size() > 1 ? "," : "") + shown(each);
    return all + "]";
}

constexpr std::string_view wire =
    "*6\r\n:1\r\n$20\r\nlonger than in place\r\n$-1\r\n+OK\r\n"
    "*2\r\n*0\r\n*-1\r\n-ERR no\r\n:-7\r\n$0\r\n\r\n";
constexpr std::string_view meant = "[1,\"longer than in place\",nil,+OK,[[],nil],-ERR no] -7 \"\"";

std::string read_all(ReplyReader& reader) {
    std::string all;
    while (true) {
        auto reply = reader.next();
        if (!reply) return reply.error();
        if (!*reply) return all;
        all += (all.empty() ? "" : " ") + shown(**reply);
    }
}

}  // namespace

TEST(ReplyReader, ReadsTheSameHoweverTheBytesAreCut) {
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
        ReplyReader reader;
        reader.feed(wire.substr(0, cut));
        std::string all = read_all(reader);
        reader.feed(wire.substr(cut));
        const std::string rest = read_all(reader);
        if (!all.empty() && !rest.empty()) all += " ";
        EXPECT_EQ(all + rest, meant) << "cut at " << cut;
    }
}

TEST(ReplyReader, KeepsTheItemsOfABigArray) {
    std::string bytes = "*20000\r\n";
    for (int at = 0; at < 20000; ++at) bytes += "*1\r\n:" + std::to_string(at) + "\r\n";
    ReplyReader reader;
    reader.feed(bytes);
    const auto reply = reader.next();
    ASSERT_TRUE(reply.has_value() && reply->has_value());
    ASSERT_EQ((*reply)->items.size(), 20000U);
    for (int at = 0; at < 20000; ++at) {
        ASSERT_EQ((*reply)->items[static_cast<std::size_t>(at)].items.at(0).integer, at);
    }
}

TEST(ReplyReader, GivesUpOnWhatIsNotRedisOrWithoutMeasure) {
    std::string deep;
    for (int at = 0; at < 20; ++at) deep += "*1\r\n";
    const std::string_view rows[] = {
        "HTTP/1.1 400 Bad Request\r\n", "*4194305\r\n", "*2147483647\r\n:1\r\n", ":1x\r\n", deep};
    for (const std::string_view row : rows) {
        ReplyReader reader;
        reader.feed(row);
        EXPECT_FALSE(reader.next().has_value()) << row;
        EXPECT_FALSE(reader.next().has_value()) << "stays so: " << row;
    }
    ReplyReader reader(1000);
    reader.feed(std::string_view{"$999999999999\r\n"});
    EXPECT_TRUE(reader.next().has_value());
    reader.feed(std::string(1000, 'x'));
    EXPECT_FALSE(reader.next().has_value()) << "longer than allowed, and no end";
}

}  // namespace firstcome::redis
