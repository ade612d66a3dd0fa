// tests/http/health_handler_test.cpp - what strangers and operators are told, and with which status
#include "http/health_handler.hpp"

#include "app/health_board.hpp"
#include "app/health_rules.hpp"
#include "http/api.hpp"
#include "tests/app/world.hpp"
#include "tests/http/live_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace firstcome::http {
namespace {

using ports::HealthStatus;
using testing::HasSubstr;
using testing::Not;

std::vector<std::unique_ptr<ports::OrderStore>> one_store(test::LaneWorld& world) {
    std::vector<std::unique_ptr<ports::OrderStore>> stores;
    stores.push_back(std::make_unique<memory::Ledger>(
        memory::Ledger::Options{}, world.clock, world.entropy, world.hash
    ));
    return stores;
}

/// The service's own table of routes, over two components that are as they are told to be.
class HealthRoutes : public testing::Test {
protected:
    HealthRoutes() {
        board_.add(app::indicator("store", [this] { return store_; }));
        board_.add(app::indicator("diskSpace", [] {
            return ports::Health{.status = HealthStatus::up, .details = {}};
        }));
        board_.add_state("readinessState", [this] { return readiness_; });
        board_.add_group({.name = "readiness", .components = {"readinessState"}});
        say(HealthStatus::up, "all \"well\"");
    }

    void say(HealthStatus status, std::string reason) {
        store_ = ports::health_because(status, std::move(reason));
        store_.details.push_back({.name = "free", .value = std::int64_t{7}});
        store_.details.push_back({.name = "seconds", .value = 1.5});
        store_.details.push_back({.name = "exists", .value = true});
        board_.refresh();
    }

    Response ask(std::string_view path, std::string_view authorization = "Bearer secret") {
        Request request;
        request.path = path;
        request.authorization = authorization;
        const Match match = router_.match(Method::get, path, request.parameters);
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
    ports::Health store_;
    HealthStatus readiness_ = HealthStatus::up;
    app::HealthBoard board_{{}, world_.clock};
    std::vector<std::string> stuck_;
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
        .recent_rates = {},
        .outcomes = {},
        .stuck = [this] { return stuck_; },
        .invariant_violated = {},
        .health = &board_};
    TestOrders orders_;
    Router router_{api_routes(app_, orders_)};
};

TEST_F(HealthRoutes, TellAnOperatorEverythingInSpringsForm) {
    const Response response = ask("/actuator/health");
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_THAT(response.headers, HasSubstr("Cache-Control: no-store"));
    EXPECT_EQ(
        response.body,
        R"({"status":"UP","components":{"diskSpace":{"status":"UP"},)"
        R"("readinessState":{"status":"UP"},)"
        R"("store":{"status":"UP","details":{"reason":"all \"well\"","free":7,"seconds":1.500,)"
        R"("exists":true}}},"groups":["readiness"]})"
    );
}

TEST_F(HealthRoutes, TellAStrangerTheStatusAlone) {
    say(HealthStatus::down, "the password is hush");
    for (const auto authorization : {"", "Bearer wrong", "Basic c2VjcmV0", "secret"}) {
        const Response whole = ask("/actuator/health", authorization);
        EXPECT_EQ(whole.status, 503U);
        EXPECT_EQ(whole.body, R"({"status":"DOWN","groups":["readiness"]})") << authorization;
        EXPECT_EQ(ask("/actuator/health/store", authorization).body, R"({"status":"DOWN"})");
        EXPECT_EQ(ask("/actuator/health/readiness", authorization).body, R"({"status":"UP"})");
    }
}

TEST_F(HealthRoutes, SayWithTheStatusWhatTheBodySays) {
    struct Row {
        HealthStatus store;
        unsigned status;
        std::string_view body;
    };

    const Row rows[] = {
        {HealthStatus::up, 200, R"({"status":"UP")"},
        {HealthStatus::unknown, 200, R"({"status":"UNKNOWN")"},
        {HealthStatus::out_of_service, 503, R"({"status":"OUT_OF_SERVICE")"},
        {HealthStatus::down, 503, R"({"status":"DOWN")"},
    };
    for (const Row& row : rows) {
        say(row.store, "because");
        const Response response = ask("/actuator/health/store");
        EXPECT_EQ(response.status, row.status) << row.body;
        EXPECT_THAT(response.body, HasSubstr(row.body));
    }
}

TEST_F(HealthRoutes, OfAGroupOrOfNothing) {
    readiness_ = HealthStatus::out_of_service;
    const Response group = ask("/actuator/health/readiness");
    EXPECT_EQ(group.status, 503U);
    EXPECT_THAT(group.body, HasSubstr(R"("components":{"readinessState":)"));
    EXPECT_THAT(group.body, Not(HasSubstr("store")));
    EXPECT_EQ(ask("/actuator/health/nonsense").status, 404U);
}

TEST_F(HealthRoutes, NameWhoIsStuckToOperatorsOnly) {
    EXPECT_EQ(ask("/livez").body, R"({"status":"UP"})");
    stuck_ = {"fc-lane-0", "fc-io-1"};
    const Response told = ask("/livez");
    EXPECT_EQ(told.status, 503U);
    EXPECT_EQ(told.body, R"({"status":"DOWN","stuck":["fc-lane-0","fc-io-1"]})");
    const Response stranger = ask("/livez", "");
    EXPECT_EQ(stranger.status, 503U);
    EXPECT_EQ(stranger.body, R"({"status":"DOWN"})");
}

}  // namespace
}  // namespace firstcome::http
