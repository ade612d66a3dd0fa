// tests/adapters/webhook/address_test.cpp - what is the public internet, and what is not
#include "adapters/webhook/address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>

namespace firstcome::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

sockaddr_storage address(const std::string& text) {
    sockaddr_storage storage{};
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        std::memcpy(&storage, &v4, sizeof(v4));
    } else if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        std::memcpy(&storage, &v6, sizeof(v6));
    }
    return storage;
}

bool is_public(const std::string& text) {
    const sockaddr_storage storage = address(text);
    return webhook::is_public(reinterpret_cast<const sockaddr&>(storage));
}

TEST(Address, OfThePublicInternetIsPublic) {
    for (const char* text :
         {"1.1.1.1",
          "9.255.255.255",
          "11.0.0.0",
          "100.63.255.255",
          "100.128.0.0",
          "126.255.255.255",
          "172.15.255.255",
          "172.32.0.0",
          "192.0.1.0",
          "198.17.255.255",
          "223.255.255.255",
          "2001:4860:4860::8888",
          "2606:4700::1111",
          "2a00:1450::1"}) {
        EXPECT_TRUE(is_public(text)) << text;
    }
}

TEST(Address, OfAnyOtherPlaceIsNot) {
    for (const char* text :
         {"0.0.0.0",
          "0.1.2.3",
          "10.0.0.1",
          "10.255.255.255",
          "100.64.0.1",
          "100.127.255.255",
          "127.0.0.1",
          "127.255.255.255",
          "169.254.169.254",
          "172.16.0.1",
          "172.31.255.255",
          "192.0.0.1",
          "192.0.2.1",
          "192.88.99.1",
          "192.168.1.1",
          "198.18.0.1",
          "198.19.255.255",
          "198.51.100.1",
          "203.0.113.1",
          "224.0.0.1",
          "239.255.255.255",
          "240.0.0.1",
          "255.255.255.255",
          "::",
          "::1",
          "::ffff:127.0.0.1",
          "::ffff:1.1.1.1",
          "::127.0.0.1",
          "64:ff9b::7f00:1",
          "64:ff9b::101:101",
          "64:ff9b:1::1",
          "fc00::1",
          "fd12:3456::1",
          "fe80::1",
          "fec0::1",
          "ff02::1",
          "100::1",
          "2001::1",
          "2001:10::1",
          "2001:db8::1",
          "2002:7f00:1::",
          "3fff::1"}) {
        EXPECT_FALSE(is_public(text)) << text;
    }
    sockaddr unknown{};
    unknown.sa_family = AF_UNIX;
    EXPECT_FALSE(webhook::is_public(unknown));
}

TEST(Address, IsSpelledAsPeopleKnowIt) {
    for (const char* text : {"127.0.0.1", "2606:4700::1111"}) {
        const sockaddr_storage storage = address(text);
        EXPECT_EQ(webhook::text_of(reinterpret_cast<const sockaddr&>(storage)), text);
    }
}

TEST(WebhookUrl, IsCheckedBeforeAnybodyIsAsked) {
    struct Row {
        const char* url;
        const char* said;  // empty: taken
    };

    const Row rows[] = {
        {"https://shop.example/events?token=hush", ""},
        {"http://shop.example:8080", ""},
        {"https://[2606:4700::1111]/", ""},
        {"", "no URL"},
        {"shop.example/hush", "http"},
        {"ftp://shop.example/hush", "http"},
        {"file:///etc/hush", "http"},
        {"https://ann:hush@shop.example/", "user or password"},
        {"https://hush@shop.example/", "user or password"},
        {"http://localhost/hush", "localhost"},
        {"http://a.localhost/hush", "a.localhost"},
        {"http://127.0.0.1/hush", "127.0.0.1"},
        {"http://2130706433/hush", "127.0.0.1"},
        {"http://0x7f.1/hush", "127.0.0.1"},
        {"http://[::1]/hush", "[::1]"},
        {"http://[::ffff:169.254.169.254]/hush", "public internet"},
        {"http://192.168.0.9/hush", "allow_private"},
    };
    for (const Row& row : rows) {
        const auto good = webhook::check_url(row.url, false);
        EXPECT_EQ(good.has_value(), row.said[0] == '\0') << row.url;
        if (good) continue;
        EXPECT_THAT(good.error(), HasSubstr(row.said));
        EXPECT_THAT(good.error(), Not(HasSubstr("hush"))) << row.url;
    }
    EXPECT_TRUE(webhook::check_url("http://127.0.0.1/", true).has_value());
}

}  // namespace
}  // namespace firstcome::test
