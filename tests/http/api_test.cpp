// tests/http/api_test.cpp - what the table of routes says about itself
#include "http/api.hpp"

#include "tests/http/api_world.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

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

}  // namespace
}  // namespace firstcome::http
