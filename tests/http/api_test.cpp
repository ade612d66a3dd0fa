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
