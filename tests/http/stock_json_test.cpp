// tests/http/stock_json_test.cpp - what a sale manager may send, and how figures are written
#include "http/stock_json.hpp"

#include "tests/http/input_cases.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;

std::string judge(std::string_view body) {
    const auto change = parse_stock_change(body);
    return change ? "good" : aloud(change.error());
}

std::string change_with(std::string_view more) {
    return R"({"itemId":1,"operation":"set","quantity":5,)" + std::string{more} + "}";
}

TEST(StockJson, ReadsEveryMember) {
    const auto change = parse_stock_change(
        R"({"itemId":"ticket","operation":"add","quantity":1000000000000,
            "opensAt":"2026-11-22T20:26:00.123+09:00","closesAt":"2026-11-22T11:27:00Z",
            "perUserLimit":2,"reason":"more arrived"})"
    );
    ASSERT_TRUE(change) << aloud(change.error());
    EXPECT_EQ(change->item.text(), "ticket");
    EXPECT_EQ(change->operation, domain::StockOperation::add);
    EXPECT_EQ(change->quantity, domain::stock_units_max);
    EXPECT_EQ(change->opens_at.value(), domain::WallTime{1'795'346'760'123ms});
    EXPECT_EQ(change->closes_at.value(), domain::WallTime{1'795'346'820'000ms});
    EXPECT_EQ(change->per_user_limit.value(), 2);
    EXPECT_EQ(change->reason, "more arrived");
}

TEST(StockJson, WhatIsNotSentDoesNotChangeAndNullClears) {
    const auto silent = parse_stock_change(R"({"itemId":1,"operation":"remove","quantity":0})");
    ASSERT_TRUE(silent);
    EXPECT_FALSE(silent->opens_at);
    EXPECT_FALSE(silent->closes_at);
    EXPECT_FALSE(silent->per_user_limit);

    const auto clearing =
        parse_stock_change(change_with(R"("opensAt":null,"closesAt":null,"perUserLimit":null)"));
    ASSERT_TRUE(clearing);
    ASSERT_TRUE(clearing->opens_at);
    EXPECT_FALSE(*clearing->opens_at);
    ASSERT_TRUE(clearing->closes_at);
    EXPECT_FALSE(*clearing->closes_at);
    ASSERT_TRUE(clearing->per_user_limit);
    EXPECT_FALSE(*clearing->per_user_limit);
}

TEST(StockJson, NamesEveryMistakeByPointerAndCode) {
    std::string korean_500;
    for (int at = 0; at < 500; ++at) korean_500 += "\xEC\x82\xAC";

    const struct {
        std::string body;
        std::string expect;
        std::string why;
    } rows[] = {
        {"", "(body) empty_body", "nothing"},
        {"[]", "(body) wrong_type", "a list"},
        {"{}", "/itemId required, /operation required, /quantity required", "all missing"},
        {R"({"itemId":1,"operation":"SET","quantity":1})", "/operation invalid_choice", "case"},
        {R"({"itemId":1,"operation":1,"quantity":1})", "/operation wrong_type", "a number"},
        {R"({"itemId":1,"operation":"set","quantity":-1})", "/quantity out_of_range", "below 0"},
        {R"({"itemId":1,"operation":"set","quantity":1000000000001})",
         "/quantity out_of_range",
         "above the most units"},
        {R"({"itemId":1,"operation":"set","quantity":1.0})", "/quantity wrong_type", "a float"},
        {R"({"itemId":1,"operation":"set","quantity":"5"})", "/quantity wrong_type", "a string"},
        {R"({"itemId":1,"operation":"set","quantity":99999999999999999999})",
         "/quantity out_of_range",
         "beyond int64"},
        {R"({"itemId":"a b","operation":"set","quantity":1})", "/itemId invalid_id", "a space"},
        {R"({"itemId":null,"operation":"set","quantity":null})",
         "/itemId wrong_type, /quantity wrong_type",
         "null clears nothing here"},
        {change_with(R"("opensAt":"2026-11-22T11:26:00")"), "/opensAt invalid_timestamp", "zone"},
        {change_with(R"("opensAt":"tomorrow")"), "/opensAt invalid_timestamp", "words"},
        {change_with(R"("closesAt":1795346760)"), "/closesAt wrong_type", "seconds"},
        {change_with(R"("perUserLimit":0)"), "/perUserLimit out_of_range", "a limit of none"},
        {change_with(R"("perUserLimit":"2")"), "/perUserLimit wrong_type", "a string"},
        {change_with(R"("perUserLimit":1000000000001)"), "/perUserLimit out_of_range", "too many"},
        {change_with(R"("reason":7)"), "/reason wrong_type", "a number"},
        {change_with(R"("reason":")" + std::string(500, 'r') + '"'), "good", "longest reason"},
        {change_with(R"("reason":")" + korean_500 + '"'), "good", "characters, not bytes"},
        {change_with(R"("reason":"\n)" + korean_500 + '"'), "/reason too_long", "one too many"},
        {change_with(R"("reason":")" + std::string(501, 'r') + '"'), "/reason too_long", "501"},
        {change_with(R"("reason":"\u0000")"), "/reason invalid_character", "PostgreSQL takes none"},
        {change_with(R"("reason":"\u0001")"), "good", "other control characters are text"},
        {change_with(R"("who":"me")"), "/who unknown_member", "who comes from the credential"},
        {change_with(R"("reason":{"opensAt":null})"), "/reason wrong_type", "an object"},
        {change_with(R"("perUserLimit":[1],"opensAt":{})"),
         "/perUserLimit wrong_type, /opensAt wrong_type",
         "containers"},
        {change_with(R"("opensAt":null,"opensAt":null)"), "/opensAt duplicate_member", "twice"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge(row.body), row.expect) << row.why;
}

domain::StockFigures some_figures() {
    return domain::StockFigures{
        .item = *domain::ItemId::from("7"),
        .initial = 100,
        .restocked = -10,
        .remaining = 40,
        .sold = 45,
        .compensating = 5,
        .orders = 30,
        .window = {},
        .per_user_limit = {},
        .as_of = domain::WallTime{1'795'346'760'123ms}};
}

TEST(StockJson, WritesFiguresWithNullWhereNothingIsSet) {
    domain::StockFigures figures = some_figures();
    std::string out;
    append_stock(out, figures);
    EXPECT_EQ(
        out,
        R"({"itemId":7,"initial":100,"remaining":40,"restocked":-10,"sold":45,"compensating":5,)"
        R"("orders":30,"opensAt":null,"closesAt":null,"perUserLimit":null,)"
        R"("asOf":"2026-11-22T11:26:00.123Z"})"
    );

    figures.window.opens_at = domain::WallTime{0ms};
    figures.per_user_limit = 2;
    out.clear();
    append_stock(out, figures, Freshness::last_known);
    EXPECT_NE(out.find(R"("opensAt":"1970-01-01T00:00:00.000Z")"), std::string::npos) << out;
    EXPECT_NE(out.find(R"("perUserLimit":2)"), std::string::npos) << out;
    EXPECT_NE(out.find(R"("stale":true})"), std::string::npos) << out;
}

TEST(StockJson, ConservationIsOkOnlyWithoutDrift) {
    std::vector<domain::StockFigures> items{some_figures(), some_figures()};
    std::string out;
    EXPECT_TRUE(append_conservation(out, {}, {}));
    EXPECT_EQ(out, R"({"ok":true,"items":[]})");

    out.clear();
    EXPECT_TRUE(append_conservation(out, items, {}));
    EXPECT_EQ(out, R"({"ok":true,"items":[{"itemId":7,"drift":0},{"itemId":7,"drift":0}]})");

    items[1].sold += 2;
    out.clear();
    EXPECT_FALSE(append_conservation(out, items, {}));
    EXPECT_EQ(out, R"({"ok":false,"items":[{"itemId":7,"drift":0},{"itemId":7,"drift":-2}]})");
}

TEST(StockJson, ConservationTellsWhereTheStoresDiffer) {
    const std::vector<domain::StockFigures> items{some_figures()};
    const std::vector<ports::StoreDrift> drifts{
        {.item = items[0].item, .units = 4, .what = "expected taken 5, found taken 1"},
        {.item = *domain::ItemId::from("gone"), .units = -3, .what = "expected 3, found nothing"}};
    std::string out;
    EXPECT_FALSE(append_conservation(out, items, drifts));
    EXPECT_EQ(
        out,
        R"({"ok":false,"items":[)"
        R"({"itemId":7,"drift":4,"difference":"expected taken 5, found taken 1"},)"
        R"({"itemId":"gone","drift":-3,"difference":"expected 3, found nothing"}]})"
    );
    out.clear();
    const std::vector<ports::StoreDrift> places{{.item = items[0].item, .what = "orders 1"}};
    EXPECT_FALSE(append_conservation(out, items, places));
    EXPECT_EQ(out, R"({"ok":false,"items":[{"itemId":7,"drift":0,"difference":"orders 1"}]})");
}

}  // namespace
}  // namespace firstcome::http
