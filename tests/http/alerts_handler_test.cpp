// tests/http/alerts_handler_test.cpp - which alerts fire, for those who may know
#include "http/alerts_handler.hpp"

#include "http/api.hpp"
#include "tests/app/world.hpp"
#include "tests/http/live_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::http {
namespace {

class Alerts : public testing::Test {
protected:
    Response ask(std::string_view token = "Bearer secret") {
        Request request;
        request.authorization = token;
        Response response;
        get_alerts(request, response, app_);
        return response;
    }

    static std::vector<std::unique_ptr<ports::OrderStore>> one_store(test::LaneWorld& world) {
        std::vector<std::unique_ptr<ports::OrderStore>> stores;
        stores.push_back(std::make_unique<memory::Ledger>(
            memory::Ledger::Options{}, world.clock, world.entropy, world.hash
        ));
        return stores;
    }

    test::LaneWorld world_;
    ApiOptions options_;
    app::PlaceOrder place_order_{{&world_.lane}};
    app::FindOrder find_order_{one_store(world_), 1};
    app::StockDesk stock_desk_{{{.lane = &world_.lane, .ledger = &world_.memory}}};
    AdminTokens token_{AdminToken{"secret"}};
    app::ServiceState state_;
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
        .stuck = {},
        .invariant_violated = {}};
};

TEST_F(Alerts, SayWhetherAnybodyWatches) {
    EXPECT_EQ(ask().body, R"({"enabled":false,"alerts":[]})");
    app_.alerts = [] { return std::vector<ports::Alert>{}; };
    EXPECT_EQ(ask().body, R"({"enabled":true,"alerts":[]})") << "and all is well";
}

TEST_F(Alerts, AreShownWithWhatTheyAreAbout) {
    app_.alerts = [] {
        std::vector<ports::Alert> all(2);
        all[0].subject = "shoe";
        all[0].summary = "7 of 100 units of shoe are left";
        all[1].kind = ports::AlertKind::order_latency_high;
        all[1].instance = "shop-1:8080";
        return all;
    };
    EXPECT_EQ(
        ask().body,
        R"({"enabled":true,"alerts":[)"
        R"({"name":"StockLow","severity":"info","labels":{"item":"shoe"},)"
        R"("summary":"7 of 100 units of shoe are left","startsAt":"1970-01-01T00:00:00.000Z"},)"
        R"({"name":"OrderLatencyHigh","severity":"warning","labels":{"instance":"shop-1:8080"},)"
        R"("summary":"","startsAt":"1970-01-01T00:00:00.000Z"}]})"
    );
}

TEST_F(Alerts, AreTheAdminsToKnow) {
    EXPECT_EQ(ask("Bearer wrong").status, 401U);
}

}  // namespace
}  // namespace firstcome::http
