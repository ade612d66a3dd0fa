// tests/http/routes_test.cpp - which path leads where
#include "http/routes.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::http {
namespace {

Router make_router() {
    const AnswerNow nothing = [](const Request&, Response&) {};
    std::vector<Route> routes;
    routes.push_back({.method = Method::post, .path = "/orders", .handler = nothing});
    routes.push_back({.method = Method::get, .path = "/orders", .handler = nothing});
    routes.push_back({.method = Method::get, .path = "/orders/{orderId}", .handler = nothing});
    routes.push_back({.method = Method::get, .path = "/orders/count", .handler = nothing});
    routes.push_back({.method = Method::get, .path = "/a/{b}/c/{d}", .handler = nothing});
    routes.push_back({.method = Method::post, .path = "/orders:batch", .handler = nothing});
    return Router{std::move(routes)};
}

TEST(Router, FindsTheRouteOfAPath) {
    const Router router = make_router();

    struct Row {
        Method method;
        std::string_view path;
        std::string_view expect;  // template, "405" or "404"
        std::string_view parameters;
        std::string_view why;
    };

    const Row rows[] = {
        {Method::post, "/orders", "/orders", ",", "a fixed path"},
        {Method::get, "/orders/count", "/orders/count", ",", "a fixed path beats a template"},
        {Method::get, "/orders/7", "/orders/{orderId}", "7,", "a template"},
        {Method::head, "/orders/7", "/orders/{orderId}", "7,", "HEAD where GET is"},
        {Method::get, "/a/x/c/y", "/a/{b}/c/{d}", "x,y", "two parameters"},
        {Method::post, "/orders:batch", "/orders:batch", ",", "a colon is a character"},
        {Method::delete_, "/orders", "405", ",", "no such method"},
        {Method::other, "/orders", "405", ",", "an unknown method"},
        {Method::get, "/orders/", "404", ",", "a parameter is never empty"},
        {Method::get, "/orders/7/8", "404", ",", "too long"},
        {Method::get, "/a/x/d/y", "404", ",", "another word between"},
        {Method::get, "//orders", "404", ",", "an empty segment"},
        {Method::get, "/Orders", "404", ",", "case matters"},
        {Method::get, "*", "404", ",", "no path at all"},
    };
    for (const Row& row : rows) {
        std::array<std::string_view, 2> parameters;
        const Match match = router.match(row.method, row.path, parameters);
        std::string got = match.route != nullptr ? match.route->path : "404";
        if (match.route == nullptr && !match.allow.empty()) got = "405";
        EXPECT_EQ(got, row.expect) << row.why;
        if (match.route == nullptr) continue;
        EXPECT_EQ(std::string{parameters[0]} + "," + std::string{parameters[1]}, row.parameters)
            << row.why;
    }
}

TEST(Router, ListsTheMethodsOfAPath) {
    const Router router = make_router();
    std::array<std::string_view, 2> parameters;
    EXPECT_EQ(router.match(Method::put, "/orders", parameters).allow, "GET, HEAD, POST, OPTIONS");
    EXPECT_EQ(router.match(Method::get, "/orders:batch", parameters).allow, "POST, OPTIONS");
}

}  // namespace
}  // namespace firstcome::http
