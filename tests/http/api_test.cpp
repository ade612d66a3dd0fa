// tests/http/api_test.cpp - what the table of routes says about itself
#include "http/api.hpp"

#include "tests/http/api_world.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::http {
namespace {

TEST(Api, DescribesTheDeadlineWhereOneIsHeard) {
    ApiWorld world;
    const auto read = boost::json::parse(world.ask("GET", "/openapi.json").body);
    for (const std::string_view path : {"~1api~1v1~1orders", "~1api~1v1~1orders:batch"}) {
        const std::string pointer = "/paths/" + std::string{path} + "/post/parameters";
        const auto& parameters = read.at_pointer(pointer).as_array();
        EXPECT_TRUE(std::ranges::any_of(parameters, [](const auto& each) {
            return each.at("$ref").as_string() == "#/components/parameters/deadlineMs";
        })) << path;
    }
    const auto& deadline = read.at_pointer("/components/parameters/deadlineMs");
    EXPECT_EQ(deadline.at("name").as_string(), "Firstcome-Deadline-Ms");
    EXPECT_EQ(deadline.at("in").as_string(), "header");
}

/// A batch of nothing but mistakes: each is answered with a problem of its own.
std::string batch_of_mistakes(std::size_t count) {
    std::string body = R"({"orders":[0)";
    for (std::size_t i = 1; i < count; ++i) body += ",0";
    return body + "]}";
}

TEST(Api, WhatABatchIsAnsweredDoesNotGrowWithItsTarget) {
    ApiWorld world;
    const std::string host(8000, 'a');
    const std::string target = "http://" + host + "/api/v1/orders%3Abatch";
    const Answer answer = world.ask("POST", target, batch_of_mistakes(1000));
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body.find(host), std::string::npos);
    EXPECT_NE(answer.body.find(R"("instance":"/api/v1/orders%3Abatch")"), std::string::npos);
    EXPECT_LT(answer.body.size(), std::size_t{512} * 1024);
}

TEST(Api, AClassOfRequestsThatIsFullLeavesTheOthersTheirPlaces) {
    ApiWorld world;

    const struct {
        InFlight& of;
        std::string_view full;
        std::string_view expect;  // of a batch, a read, an admin request
    } rows[] = {
        {world.in_flight.batches, "batches", "503 404 200"},
        {world.in_flight.reads, "reads", "200 503 200"},
        {world.in_flight.admin, "admin", "200 404 503"},
    };

    const auto ask_all = [&world] {
        const Answer batch = world.ask("POST", "/api/v1/orders:batch", batch_of_mistakes(1));
        const Answer read = world.ask("GET", "/api/v1/orders/none-of-ours");
        const Answer admin = world.ask("GET", "/api/v1/admin/dlq");
        for (const Answer& answer : {batch, read, admin}) {
            if (answer.status != 503) continue;
            EXPECT_NE(answer.body.find(R"("code":"please_wait")"), std::string::npos);
            EXPECT_NE(answer.body.find(R"("reason":"overloaded")"), std::string::npos);
            EXPECT_NE(answer.field("Retry-After"), "");
        }
        return std::to_string(batch.status) + " " + std::to_string(read.status) + " " +
               std::to_string(admin.status);
    };
    for (const auto& [of, full, expect] : rows) {
        {
            const InFlight::Place first{of};
            EXPECT_EQ(ask_all(), "200 404 200") << full << ": one place is left";
            const InFlight::Place second{of};
            EXPECT_EQ(ask_all(), expect) << full << " are full";
            EXPECT_EQ(of.refused(), 1U) << full;
        }
        EXPECT_EQ(ask_all(), "200 404 200") << full << " have room again";
    }
}

TEST(Api, RequestsThatWaitHoldTheirPlacesUntilTheyAreAnswered) {
    ApiWorld world;
    test::Gate gate;
    world.hold_desk(gate);
    RawClient first{world.port()};
    RawClient second{world.port()};
    for (RawClient* client : {&first, &second}) {
        client->send(ApiWorld::request("GET", "/api/v1/admin/dlq"));
    }
    ASSERT_TRUE(eventually([&] { return world.in_flight.admin.now() == 2; }));
    EXPECT_EQ(world.ask("GET", "/api/v1/admin/audit").status, 503U);
    EXPECT_EQ(world.ask("GET", "/api/v1/orders/none-of-ours").status, 404U) << "buyers go on";
    gate.open();
    EXPECT_EQ(first.read().status, 200U);
    EXPECT_EQ(second.read().status, 200U);
    EXPECT_EQ(world.ask("GET", "/api/v1/admin/audit").status, 200U);
}

TEST(Api, OrdersTakeNoQuery) {
    ApiWorld world;

    const struct {
        std::string_view path;
        unsigned status;
        std::string_view why;
    } rows[] = {
        {"/api/v1/orders?userId=1", 400, "what is in the query would not be heard"},
        {"/api/v1/orders:batch?x", 400, "also in a batch"},
        {"/api/v1/orders:batch?", 200, "an empty one says nothing"},
    };

    for (const auto& [path, status, why] : rows) {
        const Answer answer = world.ask("POST", path, batch_of_mistakes(1));
        EXPECT_EQ(answer.status, status) << why;
        EXPECT_EQ(answer.body.find('?'), std::string::npos) << "instance is the path alone";
        if (status == 400) {
            EXPECT_NE(answer.body.find("unknown_parameter"), std::string::npos) << why;
        }
    }
}

TEST(Api, EachRouteIsForThoseItConcerns) {
    const struct {
        std::string_view path;
        std::string_view for_whom;
    } rows[] = {
        {"/api/v1/orders", "buyers"},
        {"/api/v1/orders/stock/{itemId}", "buyers"},
        {"/api/v1/admin/stats", "operators"},
        {"/api/v1/admin/dlq/{id}/retry", "operators"},
        {"/metrics", "operators, probes"},
        {"/actuator/health", "operators, probes"},
        {"/actuator/health/{component}", "operators, probes"},
        {"/openapi.json", "buyers, operators"},
        {"/livez", "buyers, operators, probes"},
        {"/readyz", "buyers, operators, probes"},
        {"/startupz", "buyers, operators, probes"},
    };

    for (const auto& [path, for_whom] : rows) {
        const Audience audience = audience_of(path);
        std::string told;
        for (const auto& [is_one, name] :
             {std::pair{audience.buyers, "buyers"},
              std::pair{audience.operators, "operators"},
              std::pair{audience.probes, "probes"}}) {
            if (is_one) told += (told.empty() ? "" : ", ") + std::string{name};
        }
        EXPECT_EQ(told, for_whom) << path;
    }
}

}  // namespace
}  // namespace firstcome::http
