// tests/http/tls_test.cpp - certificates that are refused, connections OpenSSL has no room for
#include "http/tls.hpp"

#include "tests/http/certificate_maker.hpp"
#include "tests/http/live_server.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>

namespace {

std::atomic<int> connections_without_room{0};

}  // namespace

// In place of OpenSSL's own, which no test can starve.
extern "C" SSL* SSL_new(SSL_CTX* context) {
    using Original = SSL* (*)(SSL_CTX*);
    static const auto original = reinterpret_cast<Original>(::dlsym(RTLD_NEXT, "SSL_new"));
    if (connections_without_room > 0) {
        --connections_without_room;
        return nullptr;
    }
    return original(context);
}

namespace firstcome::http {
namespace {

class Files {
public:
    std::string write(const std::string& name, const std::string& text) {
        const auto file = (directory_.path() / name).string();
        std::ofstream{file} << text;
        ::chmod(file.c_str(), S_IRUSR | S_IWUSR);
        return file;
    }

private:
    test::TempDir directory_;
};

// What was read of the good half is given back: the leak checker of this build looks.
TEST(TlsContext, RefusesAnAuthorityWhoseSecondCertificateIsBroken) {
    Files files;
    const SigningKey key{"EC"};
    const std::string certificate = self_signed(key.private_pem());
    TlsFiles named{
        .certificate = files.write("cert.pem", certificate),
        .key = files.write("key.pem", key.private_pem()),
        .client_ca = files.write("ca.pem", certificate),
        .clients = ClientCertificate::required};
    ASSERT_TRUE(TlsContext::load(named));

    named.client_ca = files.write(
        "half.pem", certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    );
    const auto refused = TlsContext::load(named);
    ASSERT_FALSE(refused);
    EXPECT_EQ(
        refused.error(), "admin.client_ca_file " + named.client_ca + ": holds no PEM certificates"
    );
}

TEST(TlsServer, ClosesAConnectionThereIsNoRoomForAndServesTheNext) {
    const TlsSlot slot{std::make_shared<TlsContext>()};
    LiveServer live{[&](ServerOptions& options) { options.tls = &slot; }};
    RawClient first{live.port()};
    first.send(get("/echo/1"));
    const std::string in_plain = first.read().head;
    ASSERT_TRUE(in_plain.starts_with("HTTP/1.1 400 ")) << in_plain;
    first.close();
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_open == 0; }));

    connections_without_room = 1;
    RawClient refused{live.port()};
    EXPECT_TRUE(refused.is_closed());
    RawClient next{live.port()};
    next.send(get("/echo/1"));
    EXPECT_EQ(next.read().status, 400U);
    next.close();
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_open == 0; }));
    EXPECT_EQ(live.server->figures().connections_accepted, 3U);
    EXPECT_EQ(live.server->figures().connections_refused, 1U);
}

}  // namespace
}  // namespace firstcome::http
