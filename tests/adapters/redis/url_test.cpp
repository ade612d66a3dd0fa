// tests/adapters/redis/url_test.cpp - what can be written as an address of Redis, and what is said
#include "adapters/redis/url.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firstcome::redis {

TEST(RedisUrl, ReadsEveryForm) {
    struct Row {
        std::string_view written;
        std::string_view shown;
        std::string_view user;
        std::string_view password;
    };

    const Row rows[] = {
        {"redis://localhost", "redis://localhost:6379/0", "", ""},
        {"redis://localhost/", "redis://localhost:6379/0", "", ""},
        {"redis://10.0.0.1:7000/3", "redis://10.0.0.1:7000/3", "", ""},
        {"rediss://shop:secret@r.example:6380/1", "rediss://r.example:6380/1", "shop", "secret"},
        {"redis://:p%40ss%2Fw%3Ard@h", "redis://h:6379/0", "", "p@ss/w:rd"},
        {"redis://:a:b@h", "redis://h:6379/0", "", "a:b"},
        {"redis://:a@b@h", "redis://h:6379/0", "", "a@b"},
        {"redis://shop@h", "redis://h:6379/0", "shop", ""},
        {"redis://[::1]:7000/0", "redis://[::1]:7000/0", "", ""},
        {"redis://[::1]", "redis://[::1]:6379/0", "", ""},
        {"redis+sentinel://:s@h1:1,h2/shop/2", "redis+sentinel://h1:1,h2:26379/shop/2", "", "s"},
        {"redis+sentinel://h1/shop", "redis+sentinel://h1:26379/shop/0", "", ""},
        {"rediss+sentinel://h1/shop", "rediss+sentinel://h1:26379/shop/0", "", ""},
        {"redis+cluster://h1:7001,h2:7002", "redis+cluster://h1:7001,h2:7002", "", ""},
        {"rediss+cluster://u:p@h1/0", "rediss+cluster://h1:6379", "u", "p"},
    };
    for (const Row& row : rows) {
        const auto url = parse_url(row.written);
        ASSERT_TRUE(url.has_value()) << row.written << ": " << url.error();
        EXPECT_EQ(text_of(*url), row.shown) << row.written;
        EXPECT_EQ(url->user, row.user) << row.written;
        EXPECT_EQ(url->password, row.password) << row.written;
    }
}

TEST(RedisUrl, SaysWhatToWriteInsteadAndNeverThePassword) {
    struct Row {
        std::string_view written;
        std::string_view said;
    };

    const Row rows[] = {
        {"", "starts with redis://"},
        {"localhost:6379", "starts with redis://"},
        {"http://:hunter2@localhost", "starts with redis://"},
        {"redis:/localhost", "starts with redis://"},
        {"redis://", "a host is missing"},
        {"redis://:hunter2@:6379", "a host is missing"},
        {"redis://:hunter2@h:port", "a port is a number from 1 to 65535"},
        {"redis://h:0", "a port is a number from 1 to 65535"},
        {"redis://h:65536", "a port is a number from 1 to 65535"},
        {"redis://h:", "a port is a number from 1 to 65535"},
        {"redis://[::1]6379", "a port is a number from 1 to 65535"},
        {"redis://::1:6379", "stands in brackets"},
        {"redis://[::1", "stands in brackets"},
        {"redis://:hunter2%4@h", "written %25"},
        {"redis://:hunter2%zz@h", "written %25"},
        {"redis://:hunter2@h/x", "the database is a number"},
        {"redis://h/-1", "the database is a number"},
        {"redis://h/0/1", "the database is a number"},
        {"redis://:hunter2#@h", "%23"},
        {"redis://h?db=1", "%3F"},
        {"redis://h1,h2", "redis+sentinel://"},
        {"redis+sentinel://h1,h2", "the master's name"},
        {"redis+sentinel://h1//0", "the master's name"},
        {"redis+cluster://h1/1", "no databases"},
        {"redis+cluster://h1,", "a host is missing"},
    };
    for (const Row& row : rows) {
        const auto url = parse_url(row.written);
        ASSERT_FALSE(url.has_value()) << row.written;
        EXPECT_TRUE(url.error().contains(row.said)) << row.written << ": " << url.error();
        EXPECT_FALSE(url.error().contains("hunter2")) << row.written << ": " << url.error();
    }
}

}  // namespace firstcome::redis
