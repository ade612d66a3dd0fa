// tests/adapters/webhook/message_test.cpp - each event's JSON, byte for byte
#include "adapters/webhook/message.hpp"

#include "adapters/webhook/words.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

namespace firstcome::test {
namespace {

domain::Event event() {
    domain::Event made;
    made.id = domain::OrderId::from("019ab2c3-d4e5-7000-8000-0000000000aa").value();
    made.type = domain::EventType::order_accepted;
    made.order = {
        .id = domain::OrderId::from("019ab2c3-d4e5-7000-8000-0000000000ff").value(),
        .user = user("42"),
        .item = item("shoe:red"),
        .quantity = 2,
        .sequence = 7,
        .accepted_at = domain::WallTime{std::chrono::milliseconds{1'763'808'000'005}},
        .status = domain::OrderStatus::confirmed,
    };
    made.occurred_at = made.order.accepted_at;
    made.remaining = 3;
    made.total = 100;
    return made;
}

TEST(WebhookMessage, ShowsAnOrderAsTheApiDoes) {
    EXPECT_EQ(
        webhook::message_body(event()),
        R"({"type":"order.accepted","id":"019ab2c3-d4e5-7000-8000-0000000000aa",)"
        R"("timestamp":"2025-11-22T10:40:00.005Z","data":{)"
        R"("orderId":"019ab2c3-d4e5-7000-8000-0000000000ff","userId":42,"itemId":"shoe:red",)"
        R"("quantity":2,"status":"confirmed","sequence":7,)"
        R"("acceptedAt":"2025-11-22T10:40:00.005Z","durability":"disk"}})"
    );
}

TEST(WebhookMessage, ShowsAnItemsFiguresInStockEvents) {
    for (const auto& [type, name] :
         {std::pair{domain::EventType::stock_low, "stock.low"},
          std::pair{domain::EventType::stock_sold_out, "stock.sold_out"}}) {
        domain::Event stock = event();
        stock.type = type;
        EXPECT_EQ(
            webhook::message_body(stock),
            R"({"type":")" + std::string(name) +
                R"(","id":"019ab2c3-d4e5-7000-8000-0000000000aa",)"
                R"("timestamp":"2025-11-22T10:40:00.005Z",)"
                R"("data":{"itemId":"shoe:red","remaining":3,"total":100}})"
        );
    }
}

TEST(WebhookMessage, NamesTheTraceOnlyWhereThereIsOne) {
    EXPECT_EQ(webhook::traceparent({}), std::nullopt);
    EXPECT_EQ(
        webhook::traceparent({.trace_high = 1, .trace_low = 0xAB, .span = 0xC, .sampled = true}),
        "00-000000000000000100000000000000ab-000000000000000c-01"
    );
    EXPECT_EQ(
        webhook::traceparent({.trace_high = 0, .trace_low = 1, .span = 2, .sampled = false}),
        "00-00000000000000000000000000000001-0000000000000002-00"
    );
}

TEST(PlainWords, KeepWhatPeopleWroteAndNothingElse) {
    using webhook::in_plain_words;

    struct Row {
        std::string text;
        std::string words;
    };

    const Row rows[] = {
        {"sold out", "sold out"},
        {"품절 é 😀", "품절 é 😀"},
        {"a\r\nb\x1B[31m\x7F", "a  b [31m"},
        {"a\xC2\x9B"
         "31m\xC2\x80\xC2\xA0z",
         "a 31m \xC2\xA0z"},  // C1; then a space of its own
        {"a\xFF\xC0\xAF", "a???"},
        {"\xED\xA0\x80", "???"},       // half of a pair
        {"\xF4\x90\x80\x80", "????"},  // beyond the last one
        {"\xE2\x82", "??"},            // cut
        {std::string(2'000, 'x'), std::string(1'000, 'x')},
        {std::string(999, 'x') + "é", std::string(999, 'x')},
    };
    for (const Row& row : rows) EXPECT_EQ(in_plain_words(row.text), row.words);
}

}  // namespace
}  // namespace firstcome::test
