// tests/adapters/webhook/alert_receiver_test.cpp - what an answer means, over a real socket
#include "adapters/webhook/alert_receiver.hpp"

#include "tests/support/manual.hpp"
#include "tests/support/webhook_receiver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::webhook {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Receivers : public testing::Test {
protected:
    std::unique_ptr<AlertReceiver> open(AlertFormat format, std::string url) {
        auto opened = AlertReceiver::open(
            {.url = std::move(url), .format = format, .node_url = "http://shop-1", .timeout = 2s},
            clock
        );
        EXPECT_TRUE(opened);
        return std::move(*opened);
    }

    test::ManualClock clock;
    test::WebhookReceiver server;
    const std::vector<ports::Alert> alerts = std::vector<ports::Alert>(2);
};

TEST_F(Receivers, EachIsToldInItsOwnWay) {
    const std::string base = server.url().substr(0, server.url().find("/events"));
    ASSERT_TRUE(open(AlertFormat::alertmanager, base + "/")->tell(alerts));
    ASSERT_TRUE(open(AlertFormat::generic, server.url())->tell(alerts));
    ASSERT_TRUE(open(AlertFormat::slack, server.url())->tell(alerts));
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_EQ(requests[0].line, "POST /api/v2/alerts HTTP/1.1");
    EXPECT_THAT(requests[0].body, StartsWith("[{\"labels\":"));
    EXPECT_EQ(requests[0].headers.at("content-type"), "application/json");
    EXPECT_EQ(requests[1].line, "POST /events?token=hush HTTP/1.1");
    EXPECT_THAT(requests[1].body, StartsWith("{\"version\":\"4\""));
    EXPECT_THAT(requests[2].body, StartsWith("{\"text\":"));
}

TEST_F(Receivers, AnAnswerSaysWhetherToTryAgain) {
    const auto receiver = open(AlertFormat::generic, server.url());

    const struct {
        int status;
        bool passing;
    } rows[] = {{500, true}, {503, true}, {429, true}, {408, true}, {400, false}, {404, false}};

    for (const auto& row : rows) {
        server.answer({.status = row.status, .body = "no\nroom"});
        const auto told = receiver->tell(alerts);
        ASSERT_FALSE(told) << row.status;
        EXPECT_EQ(told.error().passing, row.passing) << row.status;
        EXPECT_EQ(told.error().text, std::to_string(row.status) + ": no room");
    }
    EXPECT_TRUE(receiver->tell(alerts)) << "and then it is well again";
}

TEST_F(Receivers, NoAnswerPassesAndShowsNoSecret) {
    const auto receiver = open(AlertFormat::slack, server.url());
    server.answer({.body = "cut", .kind = test::WebhookAnswer::Kind::half});
    const auto told = receiver->tell(alerts);
    ASSERT_FALSE(told);
    EXPECT_TRUE(told.error().passing);
    EXPECT_THAT(told.error().text, Not(HasSubstr("hush")));
    receiver->stop();
    EXPECT_FALSE(receiver->tell(alerts));
}

}  // namespace
}  // namespace firstcome::webhook
