// tests/http/openapi_test.cpp - the document is JSON, whole, and refers to what is there
#include "http/openapi.hpp"

#include "http/problem.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::http {
namespace {

std::vector<RouteDoc> some_routes() {
    return {
        {.method = "POST",
         .path = "/api/v1/orders",
         .summary = "Places an order",
         .buyer = true,
         .request_schema = "OrderRequest",
         .parameters = {"idempotencyKey"},
         .answers = {{202, "Order", "Accepted"}, {409, "Problem", "Sold out"}}},
        {.method = "GET",
         .path = "/api/v1/orders",
         .summary = "Lists a buyer's orders",
         .request_schema = {},
         .parameters = {"userId", "itemId", "status", "limit", "cursor"},
         .answers = {{200, "OrderPage", "A page"}}},
        {.method = "POST",
         .path = "/api/v1/orders:batch",
         .summary = "Places many orders",
         .request_schema = "BatchRequest",
         .parameters = {},
         .answers = {{200, "BatchAnswer", "One outcome per order"}}},
        {.method = "GET",
         .path = "/api/v1/orders/{orderId}",
         .summary = "Shows an order",
         .request_schema = {},
         .parameters = {},
         .answers = {{200, "Order", "The order"}}},
        {.method = "GET",
         .path = "/api/v1/orders/stock/{itemId}",
         .summary = "Shows an item's stock",
         .request_schema = {},
         .parameters = {},
         .answers = {{200, "Stock", "Figures"}}},
        {.method = "GET",
         .path = "/api/v1/orders/count",
         .summary = "Counts orders",
         .request_schema = {},
         .parameters = {"itemId"},
         .answers = {{200, "Count", "The count"}}},
        {.method = "POST",
         .path = "/api/v1/admin/stock",
         .summary = "Changes stock",
         .admin = true,
         .request_schema = "StockChange",
         .parameters = {"idempotencyKey"},
         .answers = {{200, "Stock", "Figures after the change"}}},
        {.method = "GET",
         .path = "/api/v1/admin/audit/conservation",
         .summary = "Checks that stock adds up",
         .admin = true,
         .request_schema = {},
         .parameters = {},
         .answers = {{200, "Conservation", "The check"}}},
        {.method = "GET",
         .path = "/livez",
         .summary = "Lives",
         .request_schema = {},
         .parameters = {},
         .answers = {{200, "", "It lives"}}},
    };
}

boost::json::value document() {
    return boost::json::parse(openapi(some_routes(), "1.2.3"));
}

TEST(OpenApi, HasEveryRoute) {
    const boost::json::value read = document();
    EXPECT_EQ(read.at("openapi").as_string(), "3.1.0");
    EXPECT_EQ(read.at("info").at("version").as_string(), "1.2.3");
    const auto& paths = read.at("paths").as_object();
    EXPECT_EQ(paths.size(), some_routes().size() - 1) << "GET and POST share a path";
    const auto& orders = paths.at("/api/v1/orders");
    EXPECT_EQ(orders.at("post").at("summary").as_string(), "Places an order");
    EXPECT_EQ(orders.at("get").at("summary").as_string(), "Lists a buyer's orders");
    EXPECT_EQ(
        orders.at_pointer("/post/responses/202/content/application~1json/schema/$ref").as_string(),
        "#/components/schemas/Order"
    );
    EXPECT_EQ(
        orders.at_pointer("/post/responses/409/content/application~1problem+json/schema/$ref")
            .as_string(),
        "#/components/schemas/Problem"
    );
    EXPECT_EQ(
        orders.at_pointer("/post/requestBody/content/application~1json/schema/$ref").as_string(),
        "#/components/schemas/OrderRequest"
    );
    EXPECT_FALSE(paths.at("/livez").at_pointer("/get/responses/200").as_object().contains("content")
    );
}

TEST(OpenApi, ABuyersTokenMayBeNeededAndMayBeLeftOut) {
    const auto read = document();
    const auto& security = read.at_pointer("/paths/~1api~1v1~1orders/post/security").as_array();
    ASSERT_EQ(security.size(), 2U);
    EXPECT_TRUE(security[0].as_object().empty());
    EXPECT_TRUE(security[1].as_object().contains("buyerToken"));
    EXPECT_EQ(
        read.at_pointer("/components/securitySchemes/buyerToken/bearerFormat").as_string(), "JWT"
    );
}

TEST(OpenApi, OnlyAdminRoutesAskForTheToken) {
    const auto read = document();
    const auto& paths = read.at("paths").as_object();
    const auto& security = paths.at("/api/v1/admin/stock").at("post").at("security").as_array();
    ASSERT_EQ(security.size(), 1U);
    EXPECT_TRUE(security[0].as_object().contains("adminToken"));
    EXPECT_FALSE(paths.at("/livez").at("get").as_object().contains("security"));
}

TEST(OpenApi, NamesInBracesArePathParameters) {
    const auto read = document();
    const auto& parameters = read.at("paths")
                                 .as_object()
                                 .at("/api/v1/orders/stock/{itemId}")
                                 .at("get")
                                 .at("parameters")
                                 .as_array();
    ASSERT_EQ(parameters.size(), 1U);
    EXPECT_EQ(parameters[0].at("name").as_string(), "itemId");
    EXPECT_EQ(parameters[0].at("in").as_string(), "path");
    EXPECT_TRUE(parameters[0].at("required").as_bool());
}

TEST(OpenApi, HasEveryProblemCode) {
    const auto read = document();
    const auto& codes =
        read.at_pointer("/components/schemas/Problem/properties/code/enum").as_array();
    ASSERT_EQ(codes.size(), problem_code_count);
    for (std::size_t at = 0; at < problem_code_count; ++at) {
        EXPECT_EQ(std::string_view{codes[at].as_string()}, row(static_cast<ProblemCode>(at)).code);
    }
}

void expect_references_resolve(const boost::json::value& part, const boost::json::value& whole) {
    if (const auto* list = part.if_array()) {
        for (const auto& element : *list) expect_references_resolve(element, whole);
    }
    const auto* object = part.if_object();
    if (object == nullptr) return;
    for (const auto& member : *object) {
        expect_references_resolve(member.value(), whole);
        if (member.key() != "$ref") continue;
        const std::string reference{member.value().as_string()};
        ASSERT_TRUE(reference.starts_with('#')) << reference;
        boost::json::error_code error;
        EXPECT_NE(whole.find_pointer(reference.substr(1), error), nullptr) << reference;
    }
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
    const auto read = document();
    expect_references_resolve(read, read);
}

}  // namespace
}  // namespace firstcome::http
