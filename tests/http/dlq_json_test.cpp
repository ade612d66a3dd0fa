// tests/http/dlq_json_test.cpp - what an operator may send, and how dead letters are written
#include "http/dlq_json.hpp"

#include "tests/http/input_cases.hpp"
#include "tests/support/dead_letters.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <string>

namespace firstcome::http {
namespace {

using test::accepted_event;
using namespace std::chrono_literals;

const domain::WallTime noon = test::ManualClock{}.wall() + 12h;

std::string judge_redrive(std::string_view body) {
    const auto read = parse_redrive(body);
    if (!read) return aloud(read.error());
    std::string text = std::to_string(read->per_second);
    if (read->filter.cause) text += " cause=" + std::string(name(*read->filter.cause));
    if (read->filter.item) text += " item=" + std::string(read->filter.item->text());
    if (read->filter.consumer) text += " consumer=" + *read->filter.consumer;
    return text;
}

TEST(DlqJson, ADiscardHasAReason) {
    const auto judge = [](std::string_view body) {
        const auto read = parse_discard(body);
        return read ? *read : aloud(read.error());
    };
    const std::string long_one(501, 'x');

    const struct {
        std::string body;
        std::string expect;
        std::string_view why;
    } rows[] = {
        {R"({"reason":"bad row"})", "bad row", "good"},
        {R"({})", "/reason required", "an audit row without a reason says nothing"},
        {R"({"reason":""})", "/reason required", "nor does an empty one"},
        {R"({"reason":null})", "/reason wrong_type", "no text"},
        {R"({"reason":["x"]})", "/reason wrong_type", "a list"},
        {R"({"reason":{"a":1}})", "/reason wrong_type", "an object"},
        {R"({"reason":")" + long_one + R"("})", "/reason too_long", "501 characters"},
        {R"({"reason":"a\u0000b"})", "/reason invalid_character", "no text for PostgreSQL"},
        {R"({"reason":"a\u0001\nb"})", "a\x01\nb", "other control characters are text"},
        {R"({"reason":"a","reason":"b"})", "/reason duplicate_member", "twice"},
        {R"({"reason":"a","who":"me"})", "/who unknown_member", "who it was is not for the client"},
        {R"(["a"])", "(body) wrong_type", "no object"},
        {"", "(body) empty_body", "nothing"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge(row.body), row.expect) << row.why;
}

TEST(DlqJson, ARedriveHasAFilterAndAPace) {
    const struct {
        std::string body;
        std::string expect;
        std::string_view why;
    } rows[] = {
        {R"({})", "10", "all that is dead, at the default pace"},
        {R"({"filter":{},"maxPerSecond":1000})", "1000", "an empty filter is none"},
        {R"({"filter":{"cause":"duplicate","itemId":7,"consumer":"orders"},"maxPerSecond":1})",
         "1 cause=duplicate item=7 consumer=orders",
         "all members"},
        {R"({"maxPerSecond":0})", "/maxPerSecond out_of_range", "too slow"},
        {R"({"maxPerSecond":1001})", "/maxPerSecond out_of_range", "too fast"},
        {R"({"maxPerSecond":18446744073709551616})", "/maxPerSecond out_of_range", "huge"},
        {R"({"maxPerSecond":1.0})", "/maxPerSecond wrong_type", "a fraction"},
        {R"({"filter":"all"})", "/filter wrong_type", "no object"},
        {R"({"filter":[]})", "/filter wrong_type", "a list"},
        {R"({"filter":{"status":"dead"}})",
         "/filter/status unknown_member",
         "only what is dead is redriven"},
        {R"({"filter":{"cause":"bad luck"}})", "/filter/cause invalid_choice", "no cause"},
        {R"({"filter":{"cause":{}}})", "/filter/cause wrong_type", "nested"},
        {R"({"filter":{"itemId":"a b"}})", "/filter/itemId invalid_id", "no id"},
        {R"({"filter":{"consumer":7}})", "/filter/consumer wrong_type", "no text"},
        {R"({"filter":{"consumer":")" + std::string(65, 'c') + R"("}})",
         "/filter/consumer too_long",
         "no consumer is called that"},
        {R"({"filter":{"consumer":"\u0000"}})",
         "/filter/consumer invalid_character",
         "no text for PostgreSQL"},
        {R"({"filter":{"itemId":1,"itemId":2}})", "/filter/itemId duplicate_member", "twice"},
        {R"({"filter":{},"filter":{"itemId":1}})", "/filter duplicate_member", "two filters"},
        {R"({"rate":5})", "/rate unknown_member", "another name"},
        {R"(7)", "(body) wrong_type", "a number"},
        {R"({"filter":{)", "(body) malformed_json", "cut"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge_redrive(row.body), row.expect) << row.why;
}

ports::DeadLetter letter() {
    return {
        .id = 17,
        .consumer = "orders",
        .event = accepted_event(3, "42", 2),
        .cause = ports::Cause::duplicate,
        .last_error = "key \"a\" is taken",
        .attempts = 5,
        .first_failure = noon - 90s,
        .last_failure = noon - 5s,
        .next_attempt = noon,
    };
}

TEST(DlqJson, AnEntryTellsTheWholeStory) {
    std::string out;
    append_dead_letter(out, letter());
    EXPECT_EQ(
        out,
        R"({"id":17,"status":"retrying","cause":"duplicate","consumer":"orders",)"
        R"("eventId":"019a0000-0003-7000-8000-000000000003","eventType":"order.accepted",)"
        R"("orderId":"019a0000-0003-7000-8000-000000000003","itemId":42,"attempts":5,)"
        R"("firstFailure":"2026-11-22T11:58:30.000Z","lastFailure":"2026-11-22T11:59:55.000Z",)"
        R"("nextAttempt":"2026-11-22T12:00:00.000Z","lastError":"key \"a\" is taken",)"
        R"("traceId":null,"payload":{"orderId":"019a0000-0003-7000-8000-000000000003",)"
        R"("userId":"ann","itemId":42,"quantity":2,"status":"processing","sequence":3,)"
        R"("acceptedAt":"2026-11-21T23:59:55.000Z","durability":"redis"}})"
    );
}

TEST(DlqJson, WhatIsOddInAnEntryStaysJson) {
    ports::DeadLetter odd = letter();
    odd.last_error = "\xff\n\"";
    odd.next_attempt.reset();
    odd.status = ports::DeadLetterStatus::dead;
    odd.event.type = domain::EventType::stock_low;
    odd.event.remaining = 4;
    odd.event.total = 40;
    odd.event.trace = {.trace_high = 0xABC, .trace_low = 1, .span = 9, .sampled = true};
    std::string out;
    append_dead_letter(out, odd);
    const auto read = boost::json::parse(out);
    EXPECT_TRUE(read.at("nextAttempt").is_null());
    EXPECT_EQ(read.at("lastError").as_string(), "\xEF\xBF\xBD\n\"");
    EXPECT_EQ(read.at("traceId").as_string(), "0000000000000abc0000000000000001");
    EXPECT_EQ(read.at("payload").at("remaining").as_int64(), 4);
    EXPECT_EQ(read.at("payload").at("total").as_int64(), 40);
    EXPECT_EQ(read.at("payload").at("userId").as_string(), "ann");
}

TEST(DlqJson, APageSaysWhatIsOpenBesideWhatMatches) {
    std::string out;
    append_dead_letter_page(out, {}, {}, noon);
    EXPECT_EQ(
        out,
        R"({"entries":[],"total":0,"oldestAgeSeconds":null,"byCause":{"unavailable":0,)"
        R"("overloaded":0,"conflict":0,"invalid":0,"duplicate":0,"rejected":0},"nextCursor":null})"
    );
    out.clear();
    ports::DeadLetterTotals totals;
    totals.oldest = noon - 90'900ms;
    totals.by_cause[ports::Cause::duplicate] = 2;
    append_dead_letter_page(
        out, {.entries = {letter(), letter()}, .next = 17, .total = 9}, totals, noon
    );
    const auto read = boost::json::parse(out);
    EXPECT_EQ(read.at("entries").as_array().size(), 2U);
    EXPECT_EQ(read.at("total").as_int64(), 9);
    EXPECT_EQ(read.at("oldestAgeSeconds").as_int64(), 90);
    EXPECT_EQ(read.at("byCause").at("duplicate").as_int64(), 2);
    EXPECT_EQ(read.at("nextCursor").as_string(), "17");
}

TEST(DlqJson, ATaskSaysHowFarItIs) {
    ports::RedriveTask task{
        .id = 3,
        .filter = {.cause = ports::Cause::invalid, .item = test::item("a"), .consumer = "or\"d"},
        .per_second = 5,
        .status = "done",
        .moved = 7,
        .total = 8,
        .started_at = noon,
        .ended_at = noon + 2s,
    };
    std::string out;
    append_redrive(out, task);
    EXPECT_EQ(
        out,
        R"({"task":3,"status":"done","filter":{"cause":"invalid","itemId":"a",)"
        R"("consumer":"or\"d"},"maxPerSecond":5,"moved":7,"total":8,)"
        R"("startedAt":"2026-11-22T12:00:00.000Z","endedAt":"2026-11-22T12:00:02.000Z"})"
    );
    task.filter = {};
    task.ended_at.reset();
    out.clear();
    append_redrives(out, std::vector{task, task});
    const auto read = boost::json::parse(out);
    ASSERT_EQ(read.at("tasks").as_array().size(), 2U);
    EXPECT_TRUE(read.at("tasks").at(1).at("filter").as_object().empty());
    EXPECT_TRUE(read.at("tasks").at(1).at("endedAt").is_null());
}

}  // namespace
}  // namespace firstcome::http
