// tests/base/ip_network_test.cpp - which addresses are read, and which lie in which network
#include "base/ip_network.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace firstcome::base {
namespace {

TEST(IpNetwork, ContainsWhatBeginsWithItsBits) {
    struct Row {
        std::string_view network;
        std::string_view address;
        bool inside;
        std::string_view why;
    };

    const Row rows[] = {
        {"10.0.0.0/8", "10.255.1.2", true, "the first eight bits are the same"},
        {"10.0.0.0/8", "11.0.0.1", false, "they are not"},
        {"10.1.2.3/9", "10.127.0.0", true, "bits beyond the ninth do not count"},
        {"10.1.2.3/9", "10.128.0.0", false, "the ninth does"},
        {"192.0.2.1", "192.0.2.1", true, "an address alone is a network of one"},
        {"192.0.2.1", "192.0.2.2", false, "of one only"},
        {"0.0.0.0/0", "203.0.113.9", true, "every IPv4 address"},
        {"0.0.0.0/0", "2001:db8::1", false, "no IPv6 address"},
        {"2001:db8::/32", "2001:db8:ffff::1", true, "IPv6 as well"},
        {"2001:db8::/32", "2001:db9::1", false, "another prefix"},
        {"::/0", "::1", true, "every IPv6 address"},
        {"::/0", "127.0.0.1", false, "no IPv4 address, though it is kept as a mapped one"},
        {"::ffff:10.0.0.0/104", "10.0.0.1", true, "written as mapped, it is IPv4"},
    };
    for (const Row& row : rows) {
        const auto network = IpNetwork::from(row.network);
        const auto address = ip_address_from(row.address);
        ASSERT_TRUE(network && address) << row.network << ' ' << row.address;
        EXPECT_EQ(network->contains(*address), row.inside) << row.network << ": " << row.why;
    }
}

TEST(IpNetwork, IsNotMadeOfAnyOtherText) {
    for (const std::string_view text :
         {"",
          "/8",
          "10.0.0.0/",
          "10.0.0.0/33",
          "::1/129",
          "10.0.0.0/-1",
          "10.0.0/8",
          "host",
          "10.0.0.0/8 ",
          "fe80::1%eth0",
          "10.0.0.0/8/8",
          "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"}) {
        EXPECT_FALSE(IpNetwork::from(text)) << text;
    }
    EXPECT_FALSE(ip_address_from({"10.0.0.1\0", 9})) << "inet_pton would stop at it";
}

TEST(IpAddress, IsTheSameInBothSpellingsOfIpv4) {
    EXPECT_EQ(ip_address_from("192.0.2.1"), ip_address_from("::ffff:192.0.2.1"));
    EXPECT_TRUE(is_v4(*ip_address_from("192.0.2.1")));
    EXPECT_FALSE(is_v4(*ip_address_from("::1")));
}

}  // namespace
}  // namespace firstcome::base
