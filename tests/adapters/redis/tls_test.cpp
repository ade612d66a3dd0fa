// tests/adapters/redis/tls_test.cpp - TLS: whose certificate is taken, and what works over it
#include "adapters/redis/tls.hpp"

#include "tests/adapters/redis/connecting.hpp"
#include "tests/support/servers.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

namespace {

/// A Redis that speaks TLS besides, with a certificate for `alternatives`.
struct TlsServer {
    explicit TlsServer(const std::string& alternatives, const std::string& ask_clients = "no")
        : files(folder.path(), alternatives),
          redis(
              {"--tls-port",
               std::to_string(port),
               "--tls-cert-file",
               files.certificate,
               "--tls-key-file",
               files.key,
               "--tls-ca-cert-file",
               files.certificate,
               "--tls-auth-clients",
               ask_clients}
          ) {}

    [[nodiscard]] ConnectionOptions options(const std::string& host = "127.0.0.1") const {
        auto made = options_for("rediss://" + host + ":" + std::to_string(port));
        made.tls.ca_file = files.certificate;
        return made;
    }

    test::TempDir folder;
    std::uint16_t port = test::free_port();
    test::TestCertificate files;
    test::RedisServer redis;
};

std::string failure_of(const ConnectionOptions& options) {
    Connection connection(options, real_clock);
    const auto reply = connection.command({"PING"});
    if (reply) return "";
    EXPECT_EQ(reply.error().error, CommandError::not_sent) << reply.error().text;
    const bool certificate = reply.error().text.contains("certificate is not accepted");
    EXPECT_EQ(reply.error().distrusted, certificate) << reply.error().text;
    return reply.error().text;
}

TEST(Tls, CarriesBigCommandsAndNoticesAClosedConnection) {
    const TlsServer server("IP:127.0.0.1,DNS:localhost");
    for (const std::string host : {"127.0.0.1", "localhost"}) {
        Connection connection(server.options(host), real_clock);
        const std::string big(std::size_t{3} << 20U, 'x');
        EXPECT_EQ(text_of(connection.command({"SET", "big", big})), "OK");
        EXPECT_EQ(text_of(connection.command({"GET", "big"})), big);
        EXPECT_EQ(connection.generation(), 1U);
        server.redis.cli({"CLIENT", "KILL", "TYPE", "normal"});
        EXPECT_EQ(text_of(connection.command({"PING"})), "PONG");
        EXPECT_EQ(connection.generation(), 2U);
    }
}

TEST(Tls, KeepsItsDeadlines) {
    TlsServer server("IP:127.0.0.1");
    Connection connection(server.options(), real_clock);
    ASSERT_TRUE(connection.connect());
    server.redis.freeze();
    const auto silent = connection.command({"PING"}, {.timeout = 50ms});
    ASSERT_FALSE(silent.has_value());
    EXPECT_EQ(silent.error().error, CommandError::outcome_unknown);
    ConnectionOptions hasty = server.options();
    hasty.connect_timeout = 50ms;
    EXPECT_TRUE(failure_of(hasty).contains("in time"));
    server.redis.thaw();
    EXPECT_EQ(text_of(connection.command({"PING"})), "PONG");
}

TEST(Tls, TrustsOnlyTheAuthorityAndOnlyTheNameItWasTold) {
    const TlsServer server("DNS:elsewhere.example,IP:10.0.0.1");
    EXPECT_TRUE(failure_of(server.options()).contains("certificate is not accepted: IP address"));
    EXPECT_TRUE(failure_of(server.options("localhost")).contains("certificate is not accepted"));
    const TlsServer stranger("IP:127.0.0.1");
    ConnectionOptions options = stranger.options();
    options.tls.ca_file = server.files.certificate;
    EXPECT_TRUE(failure_of(options).contains("certificate is not accepted"));
    options.tls.ca_file.clear();
    EXPECT_TRUE(failure_of(options).contains("certificate is not accepted"));
}

TEST(Tls, ShowsItsOwnCertificateWhereOneIsAskedFor) {
    const TlsServer server("IP:127.0.0.1", "yes");
    EXPECT_NE(failure_of(server.options()), "");
    ConnectionOptions options = server.options();
    options.tls.certificate_file = server.files.certificate;
    options.tls.key_file = server.files.key;
    EXPECT_EQ(failure_of(options), "");
}

TEST(Tls, SaysWhichFileItCannotUse) {
    const test::TempDir folder;
    const test::TestCertificate files(folder.path(), "DNS:localhost");
    const TlsOptions rows[] = {
        {.ca_file = "/nowhere/ca.pem"},
        {.ca_file = files.certificate, .certificate_file = "/nowhere/cert.pem"},
        {.certificate_file = files.certificate, .key_file = "/nowhere/key.pem"}};
    for (const TlsOptions& row : rows) {
        const auto read = TlsContext::read(row);
        ASSERT_FALSE(read.has_value());
        EXPECT_TRUE(read.error().contains("cannot read /nowhere/")) << read.error();
    }
    const auto no_key = TlsContext::read({.certificate_file = files.certificate});
    ASSERT_FALSE(no_key.has_value());
    EXPECT_TRUE(no_key.error().contains(files.certificate)) << no_key.error();
}

TEST(Tls, TellsPlainAndTlsPortsApart) {
    const TlsServer server("IP:127.0.0.1");
    ConnectionOptions options = server.options();
    options.url.addresses.front().port = server.redis.port();
    options.connect_timeout = 200ms;
    EXPECT_TRUE(failure_of(options).contains("TLS:"));
    EXPECT_NE(failure_of(options_for("redis://" + local(server.port))), "");
}

}  // namespace

}  // namespace firstcome::redis
