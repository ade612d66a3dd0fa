// tests/http/audit_handler_test.cpp - what admins have done is in the audit, whoever still waits
#include "http/audit_handler.hpp"

#include "telemetry/log.hpp"
#include "tests/http/api_world.hpp"
#include "tests/support/dead_letters.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

constexpr std::string_view dlq = "/api/v1/admin/dlq";

class Audit : public testing::Test {
protected:
    std::string dead_letter(unsigned n) {
        const auto now = world.clock.wall();
        EXPECT_TRUE(node->park(test::accepted_event(n), "orders", test::refused("no"), now, now));
        const auto page = node->list({}, 1, std::nullopt).value();
        return std::string(dlq) + "/" + std::to_string(page.entries.at(0).id);
    }

    boost::json::array entries() {
        const Answer answer = world.ask("GET", "/api/v1/admin/audit");
        EXPECT_EQ(answer.status, 200U) << answer.body;
        return boost::json::parse(answer.body).at("entries").as_array();
    }

    /// Newest first.
    std::vector<std::string> whats() {
        std::vector<std::string> all;
        for (const auto& entry : entries()) all.emplace_back(entry.at("what").as_string());
        return all;
    }

    ApiWorld world;
    std::unique_ptr<memory::DeadLetters> node = world.letters.other_node();
};

TEST_F(Audit, TellsWhatWasDoneToDeadLettersRedrivesAndTheLog) {
    const std::string letter = dead_letter(1);
    EXPECT_EQ(world.ask("POST", letter + "/retry").status, 202U);
    EXPECT_EQ(world.ask("POST", letter + "/discard", R"({"reason":"bad row"})").status, 202U);
    const std::string redrive = std::string(dlq) + "/redrive";
    const Answer begun = world.ask("POST", redrive, "{}");
    EXPECT_EQ(begun.status, 202U);
    EXPECT_EQ(world.ask("DELETE", begun.field("Location")).status, 200U);
    const std::string same = R"({"level":")" + std::string(name(log::level())) + "\"}";
    EXPECT_EQ(world.ask("PUT", "/api/v1/admin/log-level", same).status, 200U);

    EXPECT_THAT(
        whats(),
        ElementsAre(
            "log.level",
            "redrive.cancel",
            "redrive.start",
            "dead_letter.discard",
            "dead_letter.retry"
        )
    );
    const auto discard = entries().at(3);
    EXPECT_EQ(discard.at("who").as_string(), "admin");
    EXPECT_EQ(discard.at("reason").as_string(), "bad row");
    EXPECT_EQ(discard.at("traceId").as_string().size(), 32U);
    EXPECT_EQ(discard.at("after").at("status").as_string(), "discarded");
}

TEST_F(Audit, IsNotToldOfWhatWasRefused) {
    EXPECT_EQ(world.ask("POST", std::string(dlq) + "/7/retry").status, 404U);
    EXPECT_EQ(world.ask("DELETE", std::string(dlq) + "/redrive/7").status, 404U);
    EXPECT_TRUE(entries().empty());
}

TEST_F(Audit, TakesNoCursorItCannotHaveGivenOut) {
    const struct {
        std::string_view cursor;
        unsigned status;
        std::string_view why;
    } rows[] = {
        {"1795346760123.0.17", 200, "as one is given out"},
        {"253402300799999.9223372036854775807.9223372036854775807", 200, "the last there can be"},
        {"253402300800000.0.1", 400, "the year 10000"},
        {"9223372036854775807.0.1", 400, "beyond what a database counts in microseconds"},
        {"9223372036854775808.0.1", 400, "beyond an integer"},
        {"-1.0.1", 400, "before there was time"},
        {"1.0", 400, "a part is missing"},
        {"1.0.1.1", 400, "a part too many"},
        {"1.0.x", 400, "no number"},
        {"", 400, "nothing"},
    };

    for (const auto& row : rows) {
        const std::string path = "/api/v1/admin/audit?cursor=" + std::string(row.cursor);
        const Answer answer = world.ask("GET", path);
        EXPECT_EQ(answer.status, row.status) << row.why;
        if (row.status == 200) continue;
        const auto errors = boost::json::parse(answer.body).at("errors");
        EXPECT_EQ(errors.at(0).at("code").as_string(), "invalid_cursor") << row.why;
        EXPECT_EQ(errors.at(0).at("pointer").as_string(), "/cursor") << row.why;
    }
}

TEST_F(Audit, KeepsAChangeThatHappensAfterItsRequestWasGivenUp) {
    const struct {
        std::string_view method;
        std::string path;
        std::string_view body;
        std::string_view what;
    } rows[] = {
        {"POST", dead_letter(1) + "/retry", "", "dead_letter.retry"},
        {"POST", dead_letter(2) + "/discard", R"({"reason":"x"})", "dead_letter.discard"},
        {"POST", std::string(dlq) + "/redrive", "{}", "redrive.start"},
        {"DELETE", std::string(dlq) + "/redrive/1", "", "redrive.cancel"},
    };

    for (const auto& row : rows) {
        test::Gate gate;
        world.hold_desk(gate);
        RawClient client{world.port()};
        client.send(ApiWorld::request(row.method, row.path, row.body));
        ASSERT_TRUE(eventually([&] { return world.in_flight.admin.now() == 1; })) << row.what;
        // Once for a handler that has not asked the desk yet, and once for one that waits.
        for (int times = 0; times < 2; ++times) world.pass(6s);
        EXPECT_EQ(client.read().status, 504U) << row.what;
        EXPECT_THAT(whats(), Not(Contains(row.what)));
        gate.open();
        EXPECT_TRUE(eventually([&] {
            const auto all = whats();
            return !all.empty() && all.front() == row.what;
        })) << row.what;
    }
}

}  // namespace
}  // namespace firstcome::http
