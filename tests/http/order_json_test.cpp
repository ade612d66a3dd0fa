// tests/http/order_json_test.cpp - every way an order body can be wrong, and what a right one says
#include "http/order_json.hpp"

#include "http/cursor.hpp"
#include "tests/http/input_cases.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>
#include <string_view>

namespace firstcome::http {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;

std::string judge_order(std::string_view body) {
    const auto order = parse_order(body);
    if (!order) return aloud(order.error());
    return std::string{order->user.text()} + " " + std::string{order->item.text()} + " " +
           std::to_string(order->quantity);
}

std::string order_with(std::string_view user, std::string_view item, std::string_view quantity) {
    std::string body = R"({"userId":)";
    body += user;
    body += R"(,"itemId":)";
    body += item;
    body += R"(,"quantity":)";
    body += quantity;
    return body + "}";
}

std::string nested(std::size_t depth) {
    return R"({"userId":1,"itemId":2,"quantity":1,"x":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}";
}

TEST(OrderJson, ReadsWhatIsAnOrder) {
    const struct {
        std::string body;
        std::string expect;
        std::string why;
    } rows[] = {
        {R"({"userId":"u1","itemId":"i1","quantity":1})", "u1 i1 1", "the plain case"},
        {R"({"userId":7,"itemId":42,"quantity":3})", "7 42 3", "ids as integers"},
        {R"({"quantity":3,"itemId":42,"userId":7})", "7 42 3", "any order of members"},
        {"\r\n\t {\"userId\" : 7 , \"itemId\":42,\n\"quantity\":3 } \n", "7 42 3", "white space"},
        {R"({"userId":-7,"itemId":0,"quantity":1000})", "-7 0 1000", "negative id, most units"},
        {R"({"userId":9223372036854775807,"itemId":-9223372036854775808,"quantity":1})",
         "9223372036854775807 -9223372036854775808 1",
         "the ends of int64"},
        {R"({"userId":"007","itemId":"a.b_c:D-9","quantity":1})",
         "007 a.b_c:D-9 1",
         "every kind of character; leading zeros stay"},
        {R"({"userId":"\u0075\u0031","item\u0049d":"i1","quantity":1})",
         "u1 i1 1",
         "escapes mean the same characters"},
        {R"({"userId":-0,"itemId":1,"quantity":1})", "0 1 1", "minus zero is zero"},
        {order_with('"' + std::string(64, 'u') + '"', "1", "1"),
         std::string(64, 'u') + " 1 1",
         "the longest id"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge_order(row.body), row.expect) << row.why;
}

TEST(OrderJson, NamesEveryMistakeByPointerAndCode) {
    const struct {
        std::string body;
        std::string expect;
        std::string why;
    } rows[] = {
        // not a JSON text
        {"", "(body) empty_body", "nothing"},
        {" \r\n\t", "(body) empty_body", "white space only"},
        {"{", "(body) malformed_json", "cut after the brace"},
        {R"({"userId":1,"itemId":2,"quantity":1)", "(body) malformed_json", "cut before the end"},
        {R"({"userId":1,"itemId":2,"quantity":1}})", "(body) malformed_json", "a brace too many"},
        {R"({"userId":1,"itemId":2,"quantity":1}x)", "(body) malformed_json", "trailing byte"},
        {R"({"userId":1,"itemId":2,"quantity":1}{})", "(body) malformed_json", "two texts"},
        {R"({"userId":1,"itemId":2,"quantity":1})"s + '\0', "(body) malformed_json", "raw NUL"},
        {R"({"userId":1,"itemId":2,"quantity":1,})", "(body) malformed_json", "trailing comma"},
        {R"({"userId":1,,"itemId":2,"quantity":1})", "(body) malformed_json", "two commas"},
        {R"({'userId':1,'itemId':2,'quantity':1})", "(body) malformed_json", "single quotes"},
        {R"({userId:1,itemId:2,quantity:1})", "(body) malformed_json", "bare names"},
        {R"({"userId":1,/*x*/"itemId":2,"quantity":1})", "(body) malformed_json", "a comment"},
        {order_with("1", "2", "01"), "(body) malformed_json", "leading zero"},
        {order_with("1", "2", "+1"), "(body) malformed_json", "plus sign"},
        {order_with("1", "2", ".5"), "(body) malformed_json", "no digit before the point"},
        {order_with("1", "2", "1."), "(body) malformed_json", "no digit after the point"},
        {order_with("1", "2", "0x1"), "(body) malformed_json", "hexadecimal"},
        {order_with("1", "2", "NaN"), "(body) malformed_json", "not a number"},
        {order_with("1", "2", "Infinity"), "(body) malformed_json", "infinity"},
        {order_with("1", "2", "tru"), "(body) malformed_json", "a cut word"},
        {order_with("\"u\xFF\"", "2", "1"), "(body) malformed_json", "not UTF-8"},
        {order_with("\"\xC0\xAF\"", "2", "1"), "(body) malformed_json", "overlong UTF-8"},
        {order_with("\"\xED\xA0\x80\"", "2", "1"), "(body) malformed_json", "surrogate in UTF-8"},
        {order_with(R"("\ud800")", "2", "1"), "(body) malformed_json", "half a surrogate pair"},
        {order_with("\"a\nb\"", "2", "1"), "(body) malformed_json", "raw control character"},
        {order_with(R"("\x41")", "2", "1"), "(body) malformed_json", "unknown escape"},
        {"\xEF\xBB\xBF" + order_with("1", "2", "1"), "(body) malformed_json", "byte order mark"},
        {"userId=1&itemId=2&quantity=1", "(body) malformed_json", "a form"},
        {nested(16), "(body) too_deep", "one level too deep"},
        {nested(15), "/x unknown_member", "as deep as allowed"},
        {nested(30'000), "(body) too_deep", "very deep"},
        // JSON, but no object
        {"[]", "(body) wrong_type", "an array"},
        {R"([{"userId":1,"itemId":2,"quantity":1}])", "(body) wrong_type", "an order in an array"},
        {"null", "(body) wrong_type", "null"},
        {"1", "(body) wrong_type", "a number"},
        {R"("order")", "(body) wrong_type", "a string"},
        // members
        {"{}", "/userId required, /itemId required, /quantity required", "empty object"},
        {R"({"itemId":2,"quantity":1})", "/userId required", "no user"},
        {R"({"userId":1,"quantity":1})", "/itemId required", "no item"},
        {R"({"userId":1,"itemId":2})", "/quantity required", "no quantity"},
        {R"({"userId":1,"itemId":2,"quantity":1,"price":3})",
         "/price unknown_member",
         "unknown member"},
        {R"({"userId":1,"itemId":2,"quantity":1,"price":{"a":[1,{"userId":5}]}})",
         "/price unknown_member",
         "what is inside an unknown member does not matter"},
        {R"({"userId":1,"itemId":2,"quantity":1,"a/b~c":3})",
         "/a~1b~0c unknown_member",
         "pointers are escaped"},
        {R"({"userId":1,"itemId":2,"quantity":1,"":3})", "/ unknown_member", "empty name"},
        {R"({"userId":1,"itemId":2,"quantity":1,")" + std::string(65, 'n') + R"(":3})",
         "(body) unknown_member",
         "a very long name is not repeated"},
        {R"({"userid":1,"itemId":2,"quantity":1})",
         "/userid unknown_member, /userId required",
         "case matters"},
        {R"({"userId":1,"userId":1,"itemId":2,"quantity":1})",
         "/userId duplicate_member",
         "the same value twice is twice"},
        {R"({"userId":1,"itemId":2,"quantity":1,"quantity":2})",
         "/quantity duplicate_member",
         "two quantities"},
        {R"({"userId":1,"itemId":2,"quantity":1,"\u0071uantity":2})",
         "/quantity duplicate_member",
         "an escape does not hide a duplicate"},
        {R"({"userId":1,"itemId":2,"quantity":1,"idempotencyKey":"k"})",
         "/idempotencyKey unknown_member",
         "a single order has its key in the header"},
        // quantity
        {order_with("1", "2", "0"), "/quantity out_of_range", "no unit"},
        {order_with("1", "2", "-1"), "/quantity out_of_range", "negative"},
        {order_with("1", "2", "-0"), "/quantity out_of_range", "minus zero"},
        {order_with("1", "2", "1001"), "/quantity out_of_range", "above the cap"},
        {order_with("1", "2", "4294967297"), "/quantity out_of_range", "1 modulo 2^32"},
        {order_with("1", "2", "9223372036854775808"), "/quantity out_of_range", "beyond int64"},
        {order_with("1", "2", "18446744073709551617"), "/quantity out_of_range", "1 modulo 2^64"},
        {order_with("1", "2", "-9223372036854775809"), "/quantity out_of_range", "below int64"},
        {order_with("1", "2", std::string(400, '9')), "/quantity out_of_range", "400 digits"},
        {order_with("1", "2", "1.0"), "/quantity wrong_type", "a float, though whole"},
        {order_with("1", "2", "1e2"), "/quantity wrong_type", "an exponent"},
        {order_with("1", "2", "1E0"), "/quantity wrong_type", "a capital exponent"},
        {order_with("1", "2", "1e400"), "/quantity wrong_type", "infinite as a double"},
        {order_with("1", "2", "1e99999999999"), "/quantity wrong_type", "exponent beyond int"},
        {order_with("1", "2", "0.5"), "/quantity wrong_type", "half a unit"},
        {order_with("1", "2", R"("1")"), "/quantity wrong_type", "a number as a string"},
        {order_with("1", "2", "null"), "/quantity wrong_type", "null"},
        {order_with("1", "2", "true"), "/quantity wrong_type", "a boolean"},
        {order_with("1", "2", "[1]"), "/quantity wrong_type", "a list"},
        {order_with("1", "2", R"({"quantity":1})"), "/quantity wrong_type", "an object"},
        // ids
        {order_with(R"("")", "2", "1"), "/userId invalid_id", "empty"},
        {order_with('"' + std::string(65, 'u') + '"', "2", "1"), "/userId invalid_id", "65 long"},
        {order_with('"' + std::string(9000, 'u') + '"', "2", "1"), "/userId invalid_id", "9000"},
        {order_with(R"("\u0041)" + std::string(9000, 'u') + '"', "2", "1"),
         "/userId invalid_id",
         "long, and with an escape"},
        {order_with(R"("a b")", "2", "1"), "/userId invalid_id", "a space"},
        {order_with(R"("a/b")", "2", "1"), "/userId invalid_id", "a slash"},
        {order_with(R"("a\u0000")", "2", "1"), "/userId invalid_id", "NUL"},
        {order_with(R"("\n")", "2", "1"), "/userId invalid_id", "a line end"},
        {order_with("\"\xEC\x82\xAC\"", "2", "1"), "/userId invalid_id", "a Korean letter"},
        {order_with("1", R"("' OR 1=1")", "1"), "/itemId invalid_id", "SQL"},
        {order_with("1.5", "2", "1"), "/userId wrong_type", "a float as id"},
        {order_with("1", "1e3", "1"), "/itemId wrong_type", "an exponent as id"},
        {order_with("9223372036854775808", "2", "1"), "/userId out_of_range", "id beyond int64"},
        {order_with("null", "false", "1"), "/userId wrong_type, /itemId wrong_type", "no ids"},
        {order_with("[]", "{}", "1"), "/userId wrong_type, /itemId wrong_type", "containers"},
        // many at once
        {R"({"userId":"","x":1,"quantity":1.5})",
         "/userId invalid_id, /x unknown_member, /quantity wrong_type, /itemId required",
         "all mistakes of a body in one answer"},
        {R"({"userId":"","x":1,"quantity":1.5)",
         "(body) malformed_json",
         "what is not JSON is not judged further"},
    };

    static_assert(std::size(rows) >= 60);
    for (const auto& row : rows) {
        EXPECT_EQ(judge_order(row.body), row.expect) << row.why << ": " << row.body.substr(0, 200);
    }
}

TEST(OrderJson, ReportsABoundedNumberOfMistakes) {
    std::string body = "{";
    for (int member = 0; member < 1000; ++member) {
        body += "\"m" + std::to_string(member) + "\":1,";
    }
    body += R"("userId":1,"itemId":2,"quantity":1})";
    const auto order = parse_order(body);
    ASSERT_FALSE(order);
    EXPECT_EQ(order.error().size(), input_errors_max);
}

TEST(OrderJson, AnOrderCutAnywhereIsNoOrder) {
    const std::string body = R"({"userId":"u1","itemId":42,"quantity":12})";
    for (std::size_t size = 0; size < body.size(); ++size) {
        EXPECT_FALSE(parse_order(std::string_view{body}.substr(0, size))) << size;
    }
    EXPECT_TRUE(parse_order(body));
}

TEST(OrderJson, TheCapOnUnitsIsAnArgument) {
    EXPECT_TRUE(parse_order(order_with("1", "2", "2"), 2));
    EXPECT_FALSE(parse_order(order_with("1", "2", "3"), 2));
}

std::string judge_batch(std::string_view body) {
    const auto batch = parse_batch(body);
    if (!batch) return aloud(batch.error());
    std::string text;
    for (const BatchElement& element : batch->elements) {
        if (!text.empty()) text += " | ";
        if (!element.order) {
            text += aloud(element.order.error());
            continue;
        }
        text += element.order->user.text();
        text += ' ';
        text += element.order->item.text();
        text += ' ';
        text += std::to_string(element.order->quantity);
        if (!element.key.empty()) text += " key=" + std::string{element.key};
    }
    return text;
}

TEST(BatchJson, EachOrderStandsAlone) {
    const struct {
        std::string body;
        std::string expect;
        std::string why;
    } rows[] = {
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3}]})", "1 2 3", "one order"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3,"idempotencyKey":"k1"},
                       {"idempotencyKey":"k\u0032","userId":4,"itemId":5,"quantity":6}]})",
         "1 2 3 key=k1 | 4 5 6 key=k2",
         "keys, one of them with an escape"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":0},
                       {"userId":4,"itemId":5,"quantity":6}]})",
         "/orders/0/quantity out_of_range | 4 5 6",
         "a bad element leaves the next one alone"},
        {R"({"orders":[1,{"userId":4,"itemId":5,"quantity":6},[],null,"x",{}]})",
         "/orders/0 wrong_type | 4 5 6 | /orders/2 wrong_type | /orders/3 wrong_type | "
         "/orders/4 wrong_type | /orders/5/userId required, /orders/5/itemId required, "
         "/orders/5/quantity required",
         "what is no object is an outcome too"},
        {R"({"orders":[{"userId":[{"a":1}],"itemId":{"b":[]},"quantity":1,"z":{}}]})",
         "/orders/0/userId wrong_type, /orders/0/itemId wrong_type, /orders/0/z unknown_member",
         "containers where values belong"},
        {R"({"orders":[{"userId":1,"userId":1,"itemId":2,"quantity":3}]})",
         "/orders/0/userId duplicate_member",
         "a duplicate in an element"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3,"idempotencyKey":""}]})",
         "/orders/0/idempotencyKey invalid_key",
         "an empty key"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3,"idempotencyKey":"a b"}]})",
         "/orders/0/idempotencyKey invalid_key",
         "a space in a key"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3,"idempotencyKey":")" +
             std::string(256, 'k') + R"("}]})",
         "/orders/0/idempotencyKey invalid_key",
         "a key too long"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3,"idempotencyKey":7}]})",
         "/orders/0/idempotencyKey wrong_type",
         "a number as key"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge_batch(row.body), row.expect) << row.why;
}

TEST(BatchJson, ABodyThatIsNoBatchFailsAsAWhole) {
    const struct {
        std::string body;
        std::string expect;
        std::string why;
    } rows[] = {
        {"", "(body) empty_body", "nothing"},
        {"{}", "/orders required", "no list"},
        {"[]", "(body) wrong_type", "the list alone"},
        {"7", "(body) wrong_type", "a number"},
        {R"({"orders":[]})", "/orders out_of_range", "no order"},
        {R"({"orders":{}})", "/orders wrong_type", "an object"},
        {R"({"orders":null})", "/orders wrong_type", "null"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3}],"x":[[]]})",
         "/x unknown_member",
         "an unknown member"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3}],"orders":[{"userId":9}]})",
         "/orders duplicate_member",
         "two lists"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":3},{"userId":1)",
         "(body) malformed_json",
         "cut: none of it counts"},
        {R"({"orders":[{"userId":1,"itemId":2,"quantity":1e99999999999}]})",
         "/orders/0/quantity wrong_type",
         "an exponent the parser cannot hold ends the reading"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge_batch(row.body), row.expect) << row.why;
}

std::string batch_of(std::size_t count, std::string_view element) {
    std::string body = R"({"orders":[)";
    for (std::size_t at = 0; at < count; ++at) {
        if (at > 0) body += ',';
        body += element;
    }
    return body + "]}";
}

TEST(BatchJson, TakesAThousandOrdersAndNotOneMore) {
    const std::string_view good = R"({"userId":1,"itemId":2,"quantity":3})";
    const auto full = parse_batch(batch_of(batch_orders_max, good));
    ASSERT_TRUE(full);
    EXPECT_EQ(full->elements.size(), batch_orders_max);
    for (const std::string_view element : {good, std::string_view{"1"}, std::string_view{"[]"}}) {
        EXPECT_EQ(judge_batch(batch_of(batch_orders_max + 1, element)), "/orders out_of_range");
    }
}

TEST(BatchJson, KeysStayValidWhenTheResultMoves) {
    auto batch = parse_batch(
        R"({"orders":[{"userId":1,"itemId":2,"quantity":3,"idempotencyKey":"\u006bey"}]})"
    );
    ASSERT_TRUE(batch);
    const BatchBody moved = *std::move(batch);
    EXPECT_EQ(moved.elements.at(0).key, "key");
}

domain::Order an_order(std::string_view user, std::string_view item) {
    return domain::Order{
        .id = *domain::OrderId::from("019ab12c-3d4e-7001-8203-040506070809"),
        .user = *domain::UserId::from(user),
        .item = *domain::ItemId::from(item),
        .quantity = 2,
        .sequence = 17,
        .accepted_at = domain::WallTime{1'795'346'760'123ms},
        .status = domain::OrderStatus::processing};
}

TEST(OrderJson, WritesAnOrderAsTheContractSays) {
    std::string out;
    append_order(out, an_order("42", "ticket-a"));
    EXPECT_EQ(
        out,
        R"({"orderId":"019ab12c-3d4e-7001-8203-040506070809","userId":42,"itemId":"ticket-a",)"
        R"("quantity":2,"status":"processing","sequence":17,)"
        R"("acceptedAt":"2026-11-22T11:26:00.123Z","durability":"disk"})"
    );
}

TEST(OrderJson, WritesCanonicalIntegersAsNumbers) {
    const struct {
        std::string id;
        std::string expect;
    } rows[] = {
        {"0", "0"},
        {"-7", "-7"},
        {"-0", R"("-0")"},
        {"007", R"("007")"},
        {"123456789012345678", "123456789012345678"},
        {"9223372036854775807", "9223372036854775807"},
        {"9223372036854775808", R"("9223372036854775808")"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"1.0", R"("1.0")"},
        {"12a", R"("12a")"},
        {"-", R"("-")"},
    };

    for (const auto& row : rows) {
        std::string out;
        append_order(out, an_order(row.id, "1"));
        EXPECT_NE(out.find(R"("userId":)" + row.expect + ","), std::string::npos) << out;
    }
}

TEST(OrderJson, TheLongestOrderFitsItsBuffer) {
    domain::Order order = an_order(std::string(64, 'u'), std::string(64, 'i'));
    order.quantity = std::numeric_limits<std::int32_t>::min();
    order.sequence = std::numeric_limits<domain::Sequence>::max();
    order.accepted_at = domain::WallTime::max();
    std::string out;
    order.durability = domain::Durability::database;
    append_order(out, order);
    EXPECT_LE(out.size(), order_json_size_max);
    EXPECT_NO_THROW(boost::json::parse(out));
}

TEST(OrderJson, WhatIsWrittenCanBeOrderedAgain) {
    for (const std::string id : {"42", "u-1", "-9223372036854775808", "007"}) {
        std::string out;
        append_order(out, an_order(id, id));
        const boost::json::value read = boost::json::parse(out);
        const auto again = parse_order(order_with(
            boost::json::serialize(read.at("userId")),
            boost::json::serialize(read.at("itemId")),
            "1"
        ));
        ASSERT_TRUE(again) << id;
        EXPECT_EQ(again->user.text(), id);
        EXPECT_EQ(again->item.text(), id);
    }
}

TEST(OrderJson, WritesPagesWithTheNextCursor) {
    std::string out;
    append_order_page(out, {});
    EXPECT_EQ(out, R"({"items":[],"nextCursor":null})");

    const domain::Order order = an_order("1", "2");
    out.clear();
    append_order_page(out, {.orders = {order, order}, .next = order.id});
    const boost::json::value page = boost::json::parse(out);
    EXPECT_EQ(page.at("items").as_array().size(), 2U);
    const auto cursor = parse_cursor(std::string{page.at("nextCursor").as_string()});
    ASSERT_TRUE(cursor);
    EXPECT_EQ(*cursor, order.id);
}

TEST(OrderJson, WritesCountAndLocation) {
    std::string out;
    append_count(out, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(out, R"({"count":18446744073709551615})");
    out.clear();
    append_order_location(out, an_order("1", "2").id);
    EXPECT_EQ(out, "/api/v1/orders/019ab12c-3d4e-7001-8203-040506070809");
    EXPECT_EQ(out.size(), order_location_size);
}

TEST(BatchJson, AnswersEachOrderInItsPlace) {
    std::string out;
    BatchAnswer answer{out};
    const ProblemContext context{.instance = "/api/v1/orders:batch", .trace_id = "t"};
    answer.accepted({.order = an_order("1", "2"), .replayed = true});
    answer.refused(problem(domain::Rejected{.why = domain::Rejection::sold_out}), context);
    answer.accepted({.order = an_order("3", "4")});
    answer.close();

    const boost::json::value read = boost::json::parse(out);
    const auto& outcomes = read.at("outcomes").as_array();
    ASSERT_EQ(outcomes.size(), 3U);
    EXPECT_EQ(outcomes[0].at("status").as_int64(), 202);
    EXPECT_EQ(
        outcomes[0].at("location").as_string(),
        "/api/v1/orders/019ab12c-3d4e-7001-8203-040506070809"
    );
    EXPECT_TRUE(outcomes[0].at("idempotentReplayed").as_bool());
    EXPECT_EQ(outcomes[0].at("order").at("userId").as_int64(), 1);
    EXPECT_EQ(outcomes[1].at("status").as_int64(), 409);
    EXPECT_EQ(outcomes[1].at("problem").at("code").as_string(), "sold_out");
    EXPECT_FALSE(outcomes[2].at("idempotentReplayed").as_bool());
}

}  // namespace
}  // namespace firstcome::http
