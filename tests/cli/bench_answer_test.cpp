// tests/cli/bench_answer_test.cpp - reading HTTP answers and the JSON in them
#include "cli/bench_answer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::cli {
namespace {

const std::string order_body =
    R"({"orderId":"01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f","userId":7,"itemId":"a","quantity":1,)"
    R"("status":"processing","sequence":42,"acceptedAt":"2026-01-01T00:00:00.000Z"})";

std::string answer_of(std::string_view fields, std::string_view body) {
    std::string text = "HTTP/1.1 202 Accepted\r\nDate: x\r\n";
    text += fields;
    text += "content-length: " + std::to_string(body.size()) + "\r\n\r\n";
    text += body;
    return text;
}

TEST(Answer, IsReadWithItsMarks) {
    const std::string bytes = answer_of("Idempotent-Replayed: true\r\nConnection: close\r\n", "{}");
    const auto answer = answer_at_front(bytes);
    ASSERT_TRUE(answer && *answer);
    EXPECT_EQ((*answer)->status, 202);
    EXPECT_EQ((*answer)->body, "{}");
    EXPECT_EQ((*answer)->size, bytes.size());
    EXPECT_TRUE((*answer)->replayed);
    EXPECT_TRUE((*answer)->closes);
}

TEST(Answer, WaitsForEveryMissingByte) {
    const std::string bytes = answer_of("", order_body);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto answer = answer_at_front(std::string_view{bytes}.substr(0, size));
        ASSERT_TRUE(answer) << size;
        EXPECT_FALSE(*answer) << size;
    }
}

TEST(Answer, LeavesTheNextOneAlone) {
    const std::string first = answer_of("", "one");
    const std::string both = first + answer_of("", "two");
    const auto answer = answer_at_front(both);
    ASSERT_TRUE(answer && *answer);
    EXPECT_EQ((*answer)->size, first.size());
}

TEST(Answer, RefusesWhatItCannotMeasure) {
    EXPECT_EQ(answer_at_front("SSH-2.0-x").error(), AnswerError::not_http);
    EXPECT_EQ(answer_at_front("HTTP/1.1 abc\r\n\r\n").error(), AnswerError::not_http);
    EXPECT_EQ(
        answer_at_front("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").error(),
        AnswerError::no_length
    );
}

TEST(JsonMember, IsFoundByItsWholeName) {
    const std::string_view object =
        R"({"xcode":"no","codes":1,"code" : "yes","note":"code","n":-5})";
    EXPECT_EQ(json_member(object, "code"), "yes");
    EXPECT_EQ(json_integer(object, "n"), -5);
    EXPECT_EQ(json_member(object, "missing"), "");
    EXPECT_FALSE(json_integer(object, "note"));
    EXPECT_EQ(json_member(R"({"code":)", "code"), "") << "cut short";
}

TEST(JsonElements, SplitsAnArrayOfObjects) {
    std::vector<std::string_view> elements;
    json_elements(R"({"outcomes":[{"a":{"b":1}},{"c":"}],{"},{"d":"\"}"}],"next":[{}]})", elements);
    ASSERT_EQ(elements.size(), 3U);
    EXPECT_EQ(elements[0], R"({"a":{"b":1}})");
    EXPECT_EQ(elements[1], R"({"c":"}],{"})");
    EXPECT_EQ(elements[2], R"({"d":"\"}"})");
    json_elements(R"([{"a":"\\"},{"b":1}])", elements);
    EXPECT_EQ(elements.size(), 2U) << "an escaped backslash does not escape the quote";
    for (const char* cut : {"", "no array", "[", "[{", "[{\"", "[{\"a", "[{\"a\\\""}) {
        json_elements(cut, elements);
        EXPECT_TRUE(elements.empty()) << cut;
    }
}

TEST(OrderAnswer, TellsTheOrderOfA202) {
    const OrderAnswer answer = order_answer(Answer{.status = 202, .body = order_body});
    EXPECT_TRUE(answer.accepted());
    EXPECT_TRUE(answer.definite());
    EXPECT_EQ(answer.order_id, "01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f");
    EXPECT_EQ(answer.sequence, 42U);
    EXPECT_EQ(answer.accepted_at, "2026-01-01T00:00:00.000Z");
}

TEST(OrderAnswer, OfABatchIsTheSameAsOfASingleCall) {
    const std::string element =
        R"({"status":202,"location":"/x","idempotentReplayed":true,"order":)" + order_body + "}";
    const OrderAnswer answer = order_answer(element);
    EXPECT_TRUE(answer.accepted());
    EXPECT_TRUE(answer.replayed);
    EXPECT_EQ(answer.sequence, 42U);
    EXPECT_EQ(answer.body_hash, order_answer(Answer{.status = 202, .body = order_body}).body_hash);
    const OrderAnswer refused =
        order_answer(R"({"status":409,"problem":{"code":"sold_out","status":409}})");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.code, "sold_out");
}

TEST(OrderAnswer, IsDefiniteUnlessTheBuyerIsToAskAgain) {
    struct Row {
        int status;
        std::string_view code;
        bool definite;
    };

    const Row rows[] = {
        {202, "", true},
        {409, "sold_out", true},
        {422, "idempotency_key_reused", true},
        {409, "idempotency_in_progress", false},
        {429, "rate_limited", false},
        {503, "please_wait", false},
        {504, "outcome_unknown", false},
        {500, "internal", false},
    };
    for (const Row& row : rows) {
        const OrderAnswer answer{.status = row.status, .code = row.code};
        EXPECT_EQ(answer.definite(), row.definite) << row.status << ' ' << row.code;
    }
}

}  // namespace
}  // namespace firstcome::cli
