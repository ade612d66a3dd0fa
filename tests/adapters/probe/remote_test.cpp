// tests/adapters/probe/remote_test.cpp - what a check of something elsewhere takes for an answer
#include "adapters/probe/remote.hpp"

#include "tests/support/webhook_receiver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace firstcome::probe {
namespace {

using ports::Health;
using ports::HealthStatus;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

std::string reason_of(const Health& health) {
    if (health.details.empty() || health.details[0].name != "reason") return "";
    return std::get<std::string>(health.details[0].value);
}

std::string address_of(const test::WebhookReceiver& server) {
    const std::string url = server.url();
    const auto begin = url.find("//") + 2;
    return url.substr(begin, url.find('/', begin) - begin);
}

TEST(Remote, TakesTheStatusThatWasAskedFor) {
    struct Row {
        int answered, expected;
        HealthStatus status;
        std::string_view reason;
    };

    const Row rows[] = {
        {200, 0, HealthStatus::up, ""},
        {204, 0, HealthStatus::up, ""},
        {302, 0, HealthStatus::down, "answered 302, not a 2xx"},
        {503, 0, HealthStatus::down, "answered 503, not a 2xx"},
        {401, 401, HealthStatus::up, ""},
        {200, 401, HealthStatus::down, "answered 200, not 401"},
    };
    test::WebhookReceiver server;
    for (const Row& row : rows) {
        server.answer({.status = row.answered});
        const auto check =
            remote({.name = "shop", .url = server.url(), .expected_status = row.expected});
        const Health health = check->check();
        EXPECT_EQ(health.status, row.status) << row.answered << " for " << row.expected;
        EXPECT_EQ(reason_of(health), row.reason);
    }
    EXPECT_THAT(server.requests().at(0).line, HasSubstr("GET /events"));
}

TEST(Remote, IsDownWhenTheAnswerDoesNotComeInTime) {
    test::WebhookReceiver server;
    server.answer({.kind = test::WebhookAnswer::Kind::silence});
    const auto check = remote({.name = "shop", .url = server.url(), .timeout = 50ms});
    EXPECT_EQ(check->deadline(), 50ms);
    const Health health = check->check();
    EXPECT_EQ(health.status, HealthStatus::down);
    EXPECT_THAT(reason_of(health), HasSubstr("timed out"));
    EXPECT_THAT(reason_of(health), Not(HasSubstr("hush"))) << "a URL may hold a secret";
}

TEST(Remote, ComesBackWhenItIsCancelled) {
    test::WebhookReceiver server;
    server.answer({.kind = test::WebhookAnswer::Kind::silence});
    const auto check = remote({.name = "shop", .url = server.url(), .timeout = 60s});
    check->cancel();
    EXPECT_EQ(check->check().status, HealthStatus::down);
}

TEST(Remote, OfTcpWantsNoMoreThanAConnection) {
    std::string gone;
    {
        test::WebhookReceiver server;
        const std::string address = address_of(server);
        const auto check = remote({.name = "db", .url = "tcp://" + address});
        EXPECT_EQ(check->name(), "db");
        EXPECT_EQ(check->check().status, HealthStatus::up);
        EXPECT_EQ(check->check().status, HealthStatus::up) << "each time anew";
        EXPECT_TRUE(server.requests().empty()) << "nothing is said on it";
        gone = address;
    }
    const auto check = remote({.name = "db", .url = "tcp://" + gone});
    const Health health = check->check();
    EXPECT_EQ(health.status, HealthStatus::down);
    EXPECT_THAT(reason_of(health), HasSubstr("onnect"));
}

}  // namespace
}  // namespace firstcome::probe
