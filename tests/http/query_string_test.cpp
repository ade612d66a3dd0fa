// tests/http/query_string_test.cpp - query parameters and cursors
#include "http/query_string.hpp"

#include "http/cursor.hpp"
#include "tests/http/input_cases.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::http {
namespace {

const domain::OrderId some_id = *domain::OrderId::from("019ab12c-3d4e-7001-8203-040506070809");

std::string judge(std::string_view raw) {
    const auto query = parse_order_query(raw);
    if (!query) return aloud(query.error());
    std::string text{query->user.text()};
    if (query->item) text += " item=" + std::string{query->item->text()};
    if (query->status) text += " status=" + std::string{domain::name(*query->status)};
    text += " limit=" + std::to_string(query->limit);
    if (query->after) text += " after=" + query->after->text();
    return text;
}

TEST(OrderQuery, IsReadAsStrictlyAsABody) {
    std::string cursor;
    append_cursor(cursor, some_id);

    const struct {
        std::string raw;
        std::string expect;
        std::string why;
    } rows[] = {
        {"userId=u1", "u1 limit=20", "the default limit"},
        {"userId=u1&itemId=7&status=confirmed&limit=100",
         "u1 item=7 status=confirmed limit=100",
         "all but the cursor"},
        {"userId=u1&cursor=" + cursor, "u1 limit=20 after=" + some_id.text(), "a cursor"},
        {"user%49d=%75%31", "u1 limit=20", "percent-encoding in name and value"},
        {"itemId=a%3Ab&userId=u1", "u1 item=a:b limit=20", "an encoded colon"},
        {"&userId=u1&&limit=1&", "u1 limit=1", "empty pieces do not matter"},
        {"", "/userId required", "nothing"},
        {"userId=", "/userId invalid_id", "an empty user"},
        {"userId", "/userId invalid_id", "no equals sign"},
        {"userId=a+b", "/userId invalid_id", "a plus is a plus"},
        {"userId=u1&userId=u1", "/userId duplicate_parameter", "twice"},
        {"userId=u1&userI%64=u2", "/userId duplicate_parameter", "twice, one in disguise"},
        {"userId=u1&page=2", "/page unknown_parameter", "unknown"},
        {"userId=u1&a/b=2", "/a~1b unknown_parameter", "pointers are escaped"},
        {"userId=u1&" + std::string(65, 'p') + "=1", "(body) unknown_parameter", "a long name"},
        {"userId=%7", "/userId malformed_encoding", "half an escape"},
        {"userId=%zz", "/userId malformed_encoding", "no hex digits"},
        {"%=1", "(body) malformed_encoding", "in a name"},
        {"userId=u1&itemId=" + std::string(257, 'i'), "/itemId too_long", "a long value"},
        {"userId=u1&itemId=" + std::string(65, 'i'), "/itemId invalid_id", "a long id"},
        {"userId=u1&itemId=%00", "/itemId invalid_id", "NUL"},
        {"userId=u1&status=Confirmed", "/status invalid_choice", "case matters"},
        {"userId=u1&limit=0", "/limit out_of_range", "none"},
        {"userId=u1&limit=101", "/limit out_of_range", "above the most"},
        {"userId=u1&limit=99999999999999999999", "/limit out_of_range", "beyond 64 bits"},
        {"userId=u1&limit=-1", "/limit wrong_type", "negative"},
        {"userId=u1&limit=", "/limit wrong_type", "empty"},
        {"userId=u1&limit=1.0", "/limit wrong_type", "a float"},
        {"userId=u1&limit=%2B5", "/limit wrong_type", "a sign"},
        {"userId=u1&cursor=abc", "/cursor invalid_cursor", "not ours"},
        {"status=x&limit=0",
         "/userId required, /status invalid_choice, /limit out_of_range",
         "all mistakes at once"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge(row.raw), row.expect) << row.why;
}

TEST(OrderQuery, ReportsABoundedNumberOfMistakes) {
    std::string raw;
    for (int at = 0; at < 1000; ++at) raw += "p" + std::to_string(at) + "=1&%=&";
    const auto query = parse_order_query(raw);
    ASSERT_FALSE(query);
    EXPECT_EQ(query.error().size(), input_errors_max);
}

TEST(DeadLetterQuery, IsReadAsStrictlyAsABody) {
    const auto judge_dlq = [](std::string_view raw) {
        const auto query = parse_dead_letter_query(raw);
        if (!query) return aloud(query.error());
        std::string text = "limit=" + std::to_string(query->limit);
        const auto& filter = query->filter;
        if (filter.status) text += " status=" + std::string{name(*filter.status)};
        if (filter.cause) text += " cause=" + std::string{name(*filter.cause)};
        if (filter.item) text += " item=" + std::string{filter.item->text()};
        if (filter.consumer) text += " consumer=" + *filter.consumer;
        if (query->below) text += " below=" + std::to_string(*query->below);
        return text;
    };

    const struct {
        std::string raw;
        std::string expect;
        std::string why;
    } rows[] = {
        {"", "limit=20", "all of them"},
        {"status=dead&cause=duplicate&itemId=7&consumer=orders&limit=5&cursor=17",
         "limit=5 status=dead cause=duplicate item=7 consumer=orders below=17",
         "everything"},
        {"status=failed", "/status invalid_choice", "an order's status"},
        {"cause=Invalid", "/cause invalid_choice", "case matters"},
        {"itemId=a%20b", "/itemId invalid_id", "no id"},
        {"limit=101", "/limit out_of_range", "too many"},
        {"cursor=0", "/cursor invalid_cursor", "none has that id"},
        {"cursor=17x", "/cursor invalid_cursor", "not ours"},
        {"cursor=", "/cursor invalid_cursor", "empty"},
        {"consumer=%00", "/consumer invalid_character", "no text for PostgreSQL"},
        {"consumer=a%FF", "/consumer invalid_character", "no UTF-8, and so no text either"},
        {"consumer=%C3%A9", "limit=20 consumer=\xC3\xA9", "UTF-8"},
        {"userId=1", "/userId unknown_parameter", "not asked here"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge_dlq(row.raw), row.expect) << row.why;
}

TEST(ItemQuery, HoldsAnItemOrNothing) {
    EXPECT_FALSE(parse_item_query("").value());
    EXPECT_EQ(parse_item_query("itemId=7").value()->text(), "7");
    EXPECT_EQ(aloud(parse_item_query("userId=7").error()), "/userId unknown_parameter");
    EXPECT_EQ(aloud(parse_item_query("itemId=").error()), "/itemId invalid_id");
}

TEST(Cursor, ComesBackAsTheSameOrder) {
    std::string cursor;
    append_cursor(cursor, some_id);
    EXPECT_EQ(cursor.size(), cursor_size);
    ASSERT_TRUE(parse_cursor(cursor));
    EXPECT_EQ(*parse_cursor(cursor), some_id);
}

TEST(Cursor, IsRefusedWhenItIsNotOurs) {
    std::string cursor;
    append_cursor(cursor, some_id);
    EXPECT_FALSE(parse_cursor(""));
    EXPECT_FALSE(parse_cursor(cursor + "A")) << "too long";
    EXPECT_FALSE(parse_cursor(cursor.substr(1))) << "too short";
    EXPECT_FALSE(parse_cursor("+" + cursor.substr(1))) << "another alphabet";
    EXPECT_FALSE(parse_cursor(std::string(cursor_size, 'A'))) << "no UUIDv7";
    EXPECT_FALSE(parse_cursor(some_id.text())) << "an order id";
    for (const char other : {'R', 'Z', 'h'}) {
        std::string twin = cursor;
        twin.back() = other;
        EXPECT_FALSE(parse_cursor(twin)) << "unused bits set: " << twin;
    }
}

}  // namespace
}  // namespace firstcome::http
