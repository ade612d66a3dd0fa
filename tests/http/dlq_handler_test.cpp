// tests/http/dlq_handler_test.cpp - what an operator is told about dead letters, over a socket
#include "tests/http/api_world.hpp"
#include "tests/support/dead_letters.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <string>

namespace firstcome::http {
namespace {

using test::accepted_event;
using test::refused;

class Dlq : public ::testing::Test {
protected:
    ports::DeadLetterId park(unsigned n, std::string_view item = "shoe") {
        const auto now = world.clock.wall();
        EXPECT_TRUE(node->park(accepted_event(n, item), "orders", refused("no"), now, now));
        return node->list({}, 1, std::nullopt).value().entries.at(0).id;
    }

    ports::DeadLetterId park_dead(unsigned n, std::string_view item = "shoe") {
        const auto now = world.clock.wall();
        const auto id = park(n, item);
        EXPECT_EQ(node->claim_due("orders", now, now + 1min, 9).value().size(), 1U);
        EXPECT_TRUE(node->failed_again(id, refused("no"), true, now, std::nullopt));
        return id;
    }

    /// "404 dead_letter_not_found", or "200" of a good one.
    static std::string aloud(const Answer& answer) {
        const std::string status = std::to_string(answer.status);
        const auto body = boost::json::parse(answer.body);
        const auto* code = body.as_object().if_contains("code");
        return code == nullptr ? status : status + " " + std::string(code->as_string());
    }

    ApiWorld world;
    std::unique_ptr<memory::DeadLetters> node = world.letters.other_node();
};

constexpr std::string_view dlq = "/api/v1/admin/dlq";

std::string path_of(ports::DeadLetterId id, std::string_view command = "") {
    return std::string(dlq) + "/" + std::to_string(id) + std::string(command);
}

TEST_F(Dlq, ListsPageByPageAsFiltered) {
    park(1, "hat");
    const auto older = park(2);
    const auto newest = park(3);
    world.clock.advance(90s);
    const auto first = world.ask("GET", std::string(dlq) + "?itemId=shoe&limit=1&status=retrying");
    ASSERT_EQ(first.status, 200U) << first.body;
    const auto page = boost::json::parse(first.body);
    EXPECT_EQ(page.at("entries").at(0).at("id").as_int64(), newest);
    EXPECT_EQ(page.at("total").as_int64(), 2);
    EXPECT_EQ(page.at("oldestAgeSeconds").as_int64(), 90);
    EXPECT_EQ(page.at("byCause").at("invalid").as_int64(), 3) << "the hat counts too";
    const std::string cursor(page.at("nextCursor").as_string());
    const auto second =
        world.ask("GET", std::string(dlq) + "?itemId=shoe&limit=1&cursor=" + cursor);
    const auto rest = boost::json::parse(second.body);
    EXPECT_EQ(rest.at("entries").at(0).at("id").as_int64(), older);
    EXPECT_TRUE(rest.at("nextCursor").is_null());
    EXPECT_EQ(aloud(world.ask("GET", std::string(dlq) + "?cause=luck")), "400 validation_failed");
}

TEST_F(Dlq, ShowsRetriesAndDiscardsOneEntry) {
    const auto id = park_dead(1);
    const auto shown = world.ask("GET", path_of(id));
    ASSERT_EQ(shown.status, 200U) << shown.body;
    EXPECT_EQ(boost::json::parse(shown.body).at("status").as_string(), "dead");

    const auto retried = world.ask("POST", path_of(id, "/retry"));
    ASSERT_EQ(retried.status, 202U) << retried.body;
    EXPECT_EQ(boost::json::parse(retried.body).at("status").as_string(), "retrying");
    EXPECT_EQ(boost::json::parse(retried.body).at("attempts").as_int64(), 0);

    const auto discard = path_of(id, "/discard");
    EXPECT_EQ(aloud(world.ask("POST", discard, "{}")), "400 validation_failed");
    const auto discarded = world.ask("POST", discard, R"({"reason":"bad row"})");
    ASSERT_EQ(discarded.status, 202U) << discarded.body;
    EXPECT_EQ(boost::json::parse(discarded.body).at("status").as_string(), "discarded");
    EXPECT_EQ(world.releases, 1);
    EXPECT_EQ(node->audits(), std::vector<std::string>{"admin: bad row"});
    EXPECT_TRUE(node->undone(9).value().empty());

    EXPECT_EQ(aloud(world.ask("POST", discard, R"({"reason":"x"})")), "409 dead_letter_busy");
    EXPECT_EQ(aloud(world.ask("POST", path_of(id, "/retry"))), "409 dead_letter_busy");
    EXPECT_EQ(world.releases, 1);
}

TEST_F(Dlq, WhatIsBeingTriedIsBusy) {
    const auto id = park(1);
    const auto now = world.clock.wall();
    ASSERT_EQ(node->claim_due("orders", now, now + 24h * 36500, 9).value().size(), 1U);
    EXPECT_EQ(aloud(world.ask("POST", path_of(id, "/retry"))), "409 dead_letter_busy");
    const auto discard = world.ask("POST", path_of(id, "/discard"), R"({"reason":"x"})");
    EXPECT_EQ(aloud(discard), "409 dead_letter_busy");
    EXPECT_EQ(world.releases, 0);
}

TEST_F(Dlq, RunsOneRedriveAtATimeAndCancelsIt) {
    park_dead(1);
    park_dead(2, "hat");
    const std::string redrive = std::string(dlq) + "/redrive";
    const std::string body = R"({"filter":{"itemId":"shoe"},"maxPerSecond":5})";
    const auto begun = world.ask("POST", redrive, body);
    ASSERT_EQ(begun.status, 202U) << begun.body;
    const auto task = boost::json::parse(begun.body);
    EXPECT_EQ(task.at("status").as_string(), "running");
    EXPECT_EQ(task.at("total").as_int64(), 1);
    EXPECT_EQ(task.at("maxPerSecond").as_int64(), 5);
    const std::string location = begun.field("Location");
    EXPECT_EQ(location, redrive + "/" + boost::json::serialize(task.at("task")));

    EXPECT_EQ(aloud(world.ask("POST", redrive, body)), "409 redrive_running");
    EXPECT_EQ(aloud(world.ask("GET", location)), "200");
    const auto cancelled = world.ask("DELETE", location);
    EXPECT_EQ(boost::json::parse(cancelled.body).at("status").as_string(), "cancelled");
    EXPECT_EQ(aloud(world.ask("DELETE", location)), "409 redrive_ended");
    EXPECT_EQ(aloud(world.ask("POST", redrive, "{}")), "202");
    const auto listed = boost::json::parse(world.ask("GET", redrive).body);
    ASSERT_EQ(listed.at("tasks").as_array().size(), 2U);
    EXPECT_EQ(listed.at("tasks").at(1).at("status").as_string(), "cancelled");
}

TEST_F(Dlq, SaysWhatIsNotThereAndWhatCannotBeAsked) {
    const struct {
        std::string_view method;
        std::string path;
        std::string_view body;
        std::string_view expect;
    } rows[] = {
        {"GET", path_of(7), "", "404 dead_letter_not_found"},
        {"GET", "/api/v1/admin/dlq/x", "", "404 dead_letter_not_found"},
        {"GET", "/api/v1/admin/dlq/-1", "", "404 dead_letter_not_found"},
        {"GET", "/api/v1/admin/dlq/99999999999999999999", "", "404 dead_letter_not_found"},
        {"POST", path_of(7, "/retry"), "", "404 dead_letter_not_found"},
        {"POST", path_of(7, "/discard"), R"({"reason":"x"})", "404 dead_letter_not_found"},
        {"GET", "/api/v1/admin/dlq/redrive/7", "", "404 redrive_not_found"},
        {"DELETE", "/api/v1/admin/dlq/redrive/7", "", "404 redrive_not_found"},
        {"DELETE", "/api/v1/admin/dlq/redrive/all", "", "404 redrive_not_found"},
        {"POST", "/api/v1/admin/dlq/redrive", R"({"maxPerSecond":0})", "400 validation_failed"},
        {"GET", path_of(7, "/retry"), "", "405 method_not_allowed"},
        {"DELETE", path_of(7), "", "405 method_not_allowed"},
    };

    for (const auto& row : rows) {
        EXPECT_EQ(aloud(world.ask(row.method, row.path, row.body)), row.expect) << row.path;
    }
}

TEST_F(Dlq, EveryRouteWantsTheToken) {
    const std::pair<std::string_view, std::string> routes[] = {
        {"GET", std::string(dlq)},
        {"GET", path_of(1)},
        {"POST", path_of(1, "/retry")},
        {"POST", path_of(1, "/discard")},
        {"POST", std::string(dlq) + "/redrive"},
        {"GET", std::string(dlq) + "/redrive"},
        {"GET", std::string(dlq) + "/redrive/1"},
        {"DELETE", std::string(dlq) + "/redrive/1"},
    };
    park(1);
    for (const auto& [method, path] : routes) {
        EXPECT_EQ(aloud(world.ask(method, path, "", "wrong")), "401 unauthorized") << path;
    }
    EXPECT_EQ(node->find(1).value()->status, ports::DeadLetterStatus::retrying);
}

TEST_F(Dlq, ATableThatIsAwayAsksToWait) {
    world.letters_fail(ports::DeadLetterError::unavailable);
    const auto answer = world.ask("GET", path_of(1));
    EXPECT_EQ(aloud(answer), "503 please_wait");
    EXPECT_EQ(boost::json::parse(answer.body).at("reason").as_string(), "storage_unavailable");
    EXPECT_FALSE(answer.field("Retry-After").empty());
}

TEST_F(Dlq, ADeskThatIsClosedAsksToWait) {
    world.stop_desk();
    EXPECT_EQ(aloud(world.ask("GET", std::string(dlq))), "503 please_wait");
    EXPECT_EQ(aloud(world.ask("POST", path_of(1, "/retry"))), "503 please_wait");
    const auto discard = world.ask("POST", path_of(1, "/discard"), R"({"reason":"x"})");
    EXPECT_EQ(aloud(discard), "503 please_wait");
}

TEST(DlqWithoutADesk, SaysWhereDeadLettersAreKept) {
    ApiWorld world{false};
    for (const std::string_view path : {"/api/v1/admin/dlq", "/api/v1/admin/dlq/redrive"}) {
        const auto answer = world.ask("GET", path);
        EXPECT_EQ(answer.status, 404U);
        const auto body = boost::json::parse(answer.body);
        EXPECT_EQ(body.at("code").as_string(), "not_found");
        EXPECT_NE(body.at("detail").as_string().find("webhook"), std::string_view::npos);
    }
}

}  // namespace
}  // namespace firstcome::http
