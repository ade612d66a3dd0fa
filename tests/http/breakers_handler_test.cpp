// tests/http/breakers_handler_test.cpp - who may see and turn breakers, by which routes, and the
// log
#include "http/breakers_handler.hpp"

#include "http/api.hpp"
#include "telemetry/log.hpp"
#include "tests/app/world.hpp"
#include "tests/http/live_server.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::http {
namespace {

using ports::BreakerCommand;
using testing::HasSubstr;

/// Two breakers that go wherever they are told to.
class TestBoard final : public ports::BreakerBoard {
public:
    TestBoard() {
        all_[0].name = "redis";
        all_[0].state = "HALF_OPEN";
        all_[0].failure_rate = 37.5;
        all_[0].slow_call_rate = 25;
        all_[0].buffered_calls = 8;
        all_[0].failed_calls = 3;
        all_[0].slow_calls = 2;
        all_[0].slow_failed_calls = 1;
        all_[0].not_permitted_calls = 4;
        all_[0].not_permitted_total = 40;
        all_[1].name = "postgres";
        all_[1].state = "CLOSED";
    }

    [[nodiscard]] std::vector<ports::BreakerFigures> breakers() const override { return all_; }

    std::optional<ports::BreakerTurned> turn(std::string_view name, BreakerCommand command)
        override {
        if (name != "redis") return std::nullopt;
        const auto before = all_[0].state;
        all_[0].state = command == BreakerCommand::open ? "FORCED_OPEN" : "CLOSED";
        told.push_back(command);
        return ports::BreakerTurned{.before = before, .after = all_[0]};
    }

    std::vector<BreakerCommand> told;

private:
    std::vector<ports::BreakerFigures> all_{2};
};

std::vector<std::unique_ptr<ports::OrderStore>> one_store(test::LaneWorld& world) {
    std::vector<std::unique_ptr<ports::OrderStore>> stores;
    stores.push_back(std::make_unique<memory::Ledger>(
        memory::Ledger::Options{}, world.clock, world.entropy, world.hash
    ));
    return stores;
}

/// The service's own table of routes, before a lane that does not run.
class Breakers : public testing::Test {
protected:
    Response ask(Method method, std::string_view path, std::string_view token = "Bearer secret") {
        Request request;
        request.path = path;
        request.authorization = token;
        const Match match = router_.match(method, path, request.parameters);
        Response response;
        EXPECT_NE(match.route, nullptr) << path;
        if (match.route != nullptr) std::get<AnswerNow>(match.route->handler)(request, response);
        return response;
    }

    test::LaneWorld world_;
    ApiOptions options_;
    app::PlaceOrder place_order_{{&world_.lane}};
    app::FindOrder find_order_{one_store(world_), 1};
    app::StockDesk stock_desk_{{{.lane = &world_.lane, .ledger = &world_.memory}}};
    AdminTokens token_{AdminToken{"secret"}};
    app::ServiceState state_;
    TestBoard board_;
    App app_{
        .options = options_,
        .place_order = place_order_,
        .find_order = find_order_,
        .stock_desk = stock_desk_,
        .hash = world_.hash,
        .admin_tokens = token_,
        .state = state_,
        .metrics_text = {},
        .metrics_content_type = {},
        .recent_rates = [] { return RecentRates{}; },
        .outcomes = [] { return std::vector<OutcomeTotal>{}; },
        .stuck = {},
        .invariant_violated = {},
        .breakers = &board_};
    TestOrders orders_;
    Router router_{api_routes(app_, orders_)};
};

constexpr std::string_view redis_shown =
    R"({"name":"redis","state":"HALF_OPEN","failureRate":37.5,"slowCallRate":25.0,)"
    R"("bufferedCalls":8,"failedCalls":3,"slowCalls":2,"slowFailedCalls":1,"notPermittedCalls":4})";

TEST_F(Breakers, AreListedUnderTheNamesOfResilience4j) {
    const Response response = ask(Method::get, "/api/v1/admin/breakers");
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_THAT(response.body, HasSubstr(redis_shown));
    const auto read = boost::json::parse(response.body);
    ASSERT_EQ(read.at("breakers").as_array().size(), 2U);
    EXPECT_EQ(read.at_pointer("/breakers/1/name").as_string(), "postgres");
    EXPECT_EQ(read.at_pointer("/breakers/1/failureRate").as_double(), -1);
}

TEST_F(Breakers, AreInTheStats) {
    const Response response = ask(Method::get, "/api/v1/admin/stats");
    EXPECT_THAT(response.body, HasSubstr(R"("breakers":[)" + std::string{redis_shown}));
    EXPECT_EQ(boost::json::parse(response.body).at("breakers").as_array().size(), 2U);
}

TEST_F(Breakers, AreAnEmptyListWhereNothingIsGuarded) {
    app_.breakers = nullptr;
    EXPECT_EQ(ask(Method::get, "/api/v1/admin/breakers").body, R"({"breakers":[]})");
    EXPECT_EQ(ask(Method::post, "/api/v1/admin/breakers/redis/open").status, 404U);
    const auto stats = boost::json::parse(ask(Method::get, "/api/v1/admin/stats").body);
    EXPECT_TRUE(stats.at("breakers").as_array().empty());
}

TEST_F(Breakers, StandInTheStatsBesideWhatWaitsAndWhatWasRefused) {
    app_.backlog = [] {
        ports::Backlog backlog;
        const auto line = [](std::string_view stage, unsigned lane, std::uint64_t pending, int ms) {
            return ports::WaitingLine{
                .stage = stage,
                .lane = lane,
                .depth = {.pending = pending, .oldest_age = std::chrono::milliseconds{ms}}};
        };
        backlog.waiting = {
            line("orders", 0, 3, 1500), line("orders", 1, 0, 0), line("webhook", 0, 4, 20)};
        backlog.retrying = 2;
        backlog.dead = 1;
        backlog.oldest_age = std::chrono::seconds{7};
        backlog.by_cause[ports::Cause::invalid] = 3;
        return backlog;
    };
    app_.troubles = [] { return std::vector<std::string>{"shard 0: \"stands\""}; };
    const auto stats = boost::json::parse(ask(Method::get, "/api/v1/admin/stats").body);
    EXPECT_EQ(stats.at_pointer("/outbox/pending").to_number<int>(), 7) << "the sum";
    EXPECT_EQ(stats.at_pointer("/outbox/oldestAgeSeconds").to_number<double>(), 1.5)
        << "the oldest";
    ASSERT_EQ(stats.at_pointer("/outbox/lines").as_array().size(), 3U);
    EXPECT_EQ(stats.at_pointer("/outbox/lines/1/lane").to_number<int>(), 1);
    EXPECT_EQ(stats.at_pointer("/outbox/lines/2/stage").as_string(), "webhook");
    EXPECT_EQ(stats.at_pointer("/dlq/depth").to_number<int>(), 3);
    EXPECT_EQ(stats.at_pointer("/dlq/oldestAgeSeconds").to_number<double>(), 7.0);
    EXPECT_EQ(stats.at_pointer("/dlq/byCause/invalid").to_number<int>(), 3);
    EXPECT_EQ(stats.at_pointer("/dlq/byCause/duplicate").to_number<int>(), 0) << "zeros too";
    EXPECT_EQ(stats.at_pointer("/troubles/0").as_string(), "shard 0: \"stands\"");
}

TEST_F(Breakers, StandInTheStatsAlsoWhereNothingEverWaits) {
    const auto stats = boost::json::parse(ask(Method::get, "/api/v1/admin/stats").body);
    EXPECT_EQ(stats.at_pointer("/outbox/pending").to_number<int>(), 0);
    EXPECT_EQ(stats.at_pointer("/dlq/depth").to_number<int>(), 0);
    EXPECT_TRUE(stats.at("troubles").as_array().empty());
}

TEST_F(Breakers, AreTurnedByEachRoute) {
    const struct {
        std::string_view path;
        BreakerCommand command;
        std::string_view state;
    } rows[] = {
        {"/api/v1/admin/breakers/redis/open", BreakerCommand::open, "FORCED_OPEN"},
        {"/api/v1/admin/breakers/redis/close", BreakerCommand::close, "CLOSED"},
        {"/api/v1/admin/breakers/redis/reset", BreakerCommand::reset, "CLOSED"},
    };

    for (const auto& row : rows) {
        board_.told.clear();
        const Response response = ask(Method::post, row.path);
        EXPECT_EQ(response.status, 200U) << row.path;
        EXPECT_EQ(board_.told, std::vector{row.command}) << row.path;
        const auto read = boost::json::parse(response.body);
        EXPECT_EQ(read.at("name").as_string(), "redis");
        EXPECT_EQ(std::string_view{read.at("state").as_string()}, row.state);
    }
}

TEST_F(Breakers, ANameNobodyHasIsNotFound) {
    const Response response = ask(Method::post, "/api/v1/admin/breakers/nobody/open");
    EXPECT_EQ(response.status, 404U);
    EXPECT_THAT(response.body, HasSubstr(R"("code":"not_found")"));
    EXPECT_THAT(response.body, HasSubstr("GET /api/v1/admin/breakers lists them"));
    std::array<std::string_view, 2> parameters;
    const std::string_view no_command = "/api/v1/admin/breakers/redis/explode";
    EXPECT_EQ(router_.match(Method::post, no_command, parameters).route, nullptr);
}

TEST_F(Breakers, AreInTheDescriptionOfTheService) {
    const auto read = boost::json::parse(ask(Method::get, "/openapi.json").body);
    const std::string path = "/paths/~1api~1v1~1admin~1breakers";
    EXPECT_EQ(
        read.at_pointer(path + "/get/responses/200/content/application~1json/schema/$ref")
            .as_string(),
        "#/components/schemas/Breakers"
    );
    for (const char* command : {"open", "close", "reset"}) {
        const auto& post = read.at_pointer(path + "~1{name}~1" + command + "/post");
        EXPECT_TRUE(post.as_object().contains("security")) << command;
        EXPECT_EQ(
            post.at_pointer("/responses/200/content/application~1json/schema/$ref").as_string(),
            "#/components/schemas/Breaker"
        );
    }
    const auto& states = read.at_pointer("/components/schemas/Breaker/properties/state/enum");
    ASSERT_EQ(states.as_array().size(), ports::breaker_states.size());
    for (std::size_t at = 0; at < ports::breaker_states.size(); ++at) {
        EXPECT_EQ(std::string_view{states.at(at).as_string()}, ports::breaker_states[at]);
    }
}

TEST_F(Breakers, NeedTheAdminToken) {
    for (const std::string_view token : {"", "Bearer other", "secret"}) {
        EXPECT_EQ(ask(Method::get, "/api/v1/admin/breakers", token).status, 401U) << token;
        for (const char* command : {"open", "close", "reset"}) {
            const std::string path = std::string{"/api/v1/admin/breakers/redis/"} + command;
            EXPECT_EQ(ask(Method::post, path, token).status, 401U) << path;
        }
        // The same for a breaker that is not there: who has no token learns no names.
        EXPECT_EQ(ask(Method::post, "/api/v1/admin/breakers/x/open", token).status, 401U);
    }
    EXPECT_TRUE(board_.told.empty());
}

TEST_F(Breakers, TurningOneLeavesALineThatSaysWhoAndWhat) {
    std::vector<std::string> lines;
    log::Options options;
    options.format = log::Format::json;
    options.write = [&](std::string_view line) { lines.emplace_back(line); };
    log::start(std::move(options));
    EXPECT_EQ(ask(Method::post, "/api/v1/admin/breakers/redis/open").status, 200U);
    EXPECT_EQ(ask(Method::get, "/api/v1/admin/breakers").status, 200U);
    log::stop();
    ASSERT_EQ(lines.size(), 1U) << "looking leaves none";
    EXPECT_THAT(
        lines[0],
        HasSubstr(R"("breaker":"redis","command":"open","who":"admin","before":"HALF_OPEN",)"
                  R"("after":"FORCED_OPEN","trace_id":")")
    );
}

}  // namespace
}  // namespace firstcome::http
