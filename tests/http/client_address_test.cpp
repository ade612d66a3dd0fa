// tests/http/client_address_test.cpp - whom a request is from, and whom it can only pretend to be
#include "http/client_address.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::http {
namespace {

std::vector<base::IpNetwork> networks(const std::vector<std::string>& texts) {
    std::vector<base::IpNetwork> made;
    for (const std::string& text : texts) made.push_back(*base::IpNetwork::from(text));
    return made;
}

struct Row {
    std::vector<std::string> trusted;
    std::string peer;
    std::string fields;
    std::string client;
    std::string why;
};

void expect_client(const Row& row) {
    Request request;
    request.peer.bytes = *base::ip_address_from(row.peer);
    request.fields = row.fields;
    const PeerAddress client = client_address(request, networks(row.trusted));
    EXPECT_EQ(client.bytes, *base::ip_address_from(row.client)) << row.why << ": " << client.text();
}

TEST(ClientAddress, IsThePeerUnlessATrustedProxySaysMore) {
    const std::string forged = "X-Forwarded-For: 1.1.1.1\r\n";
    const Row rows[] = {
        {{}, "203.0.113.5", forged, "203.0.113.5", "nobody is trusted"},
        {{"10.0.0.0/8"}, "203.0.113.5", forged, "203.0.113.5", "this peer is not"},
        {{"10.0.0.0/8"}, "10.0.0.1", "Host: a\r\n", "10.0.0.1", "the proxy asks for itself"},
        {{"10.0.0.0/8"}, "10.0.0.1", forged, "1.1.1.1", "a trusted one is believed"},
        {{"10.0.0.1"},
         "10.0.0.1",
         "X-Forwarded-For: 6.6.6.6, 198.51.100.7\r\n",
         "198.51.100.7",
         "what stands left of the first stranger, the stranger wrote"},
        {{"10.0.0.0/8"},
         "10.0.0.1",
         "X-Forwarded-For: 6.6.6.6,198.51.100.7 , 10.0.0.2\r\n",
         "198.51.100.7",
         "two proxies of ours, one behind the other"},
        {{"10.0.0.0/8"},
         "10.0.0.1",
         "X-Forwarded-For: 6.6.6.6\r\nHost: a\r\nx-forwarded-FOR: 198.51.100.7\r\n",
         "198.51.100.7",
         "all fields of that name are one list, whatever their case"},
        {{"10.0.0.0/8"},
         "10.0.0.1",
         "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-For:\r\n",
         "198.51.100.7",
         "an empty field says nothing, and hides nothing"},
        {{"10.0.0.0/8"},
         "10.0.0.1",
         "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n",
         "10.0.0.3",
         "all are ours: the furthest"},
        {{"10.0.0.0/8"},
         "10.0.0.1",
         "X-Forwarded-For: 198.51.100.7, unknown, 10.0.0.2\r\n",
         "10.0.0.2",
         "the walk ends where an address is missing"},
        {{"::1", "2001:db8::/32"},
         "::1",
         "X-Forwarded-For: 2001:db9::7, 2001:db8::9\r\n",
         "2001:db9::7",
         "IPv6"},
        {{"127.0.0.1"},
         "127.0.0.1",
         "X-Forwarded-For: [2001:db9::7]:4711\r\n",
         "2001:db9::7",
         "with a port, as some write it"},
        {{"127.0.0.1"},
         "127.0.0.1",
         "X-Forwarded-For: 198.51.100.7:4711\r\n",
         "198.51.100.7",
         "IPv4 with a port"},
        {{"127.0.0.1"},
         "127.0.0.1",
         "X-Forwarded-For: [2001:db9::7\r\n",
         "127.0.0.1",
         "half a bracket is no address"},
        {{"127.0.0.1"},
         "127.0.0.1",
         "Forwarded: for=198.51.100.7\r\nX-Forwarded: 1.2.3.4\r\n",
         "127.0.0.1",
         "other headers are not read"},
    };
    for (const Row& row : rows) expect_client(row);
}

TEST(ClientAddress, LooksAtNoMoreHopsThanItMay) {
    std::string list = "198.51.100.7";
    for (int hop = 0; hop < 1000; ++hop) list += ",10.0.0.2";
    expect_client(
        {{"10.0.0.0/8"},
         "10.0.0.1",
         "X-Forwarded-For: " + list + "\r\n",
         "10.0.0.2",
         "a long list of ours ends at one of ours"}
    );
}

}  // namespace
}  // namespace firstcome::http
