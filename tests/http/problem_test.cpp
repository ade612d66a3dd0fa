// tests/http/problem_test.cpp - the contract's table of errors, row by row
#include "http/problem.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;

constexpr ProblemContext context{
    .instance = "/api/v1/orders", .trace_id = "0af7651916cd43dd8448eb211c80319c"};

boost::json::value body_of(const Problem& problem) {
    return boost::json::parse(render(problem, context).body);
}

/// "409 sold_out remaining=0": status, code and the members beyond those every problem has.
std::string aloud(const Problem& problem) {
    const ProblemParts parts = render(problem, context);
    std::string text = std::to_string(parts.status) + " " + std::string{parts.code};
    const std::set<std::string_view> common{
        "type", "title", "status", "code", "detail", "instance", "traceId", "message"};
    const boost::json::value body = boost::json::parse(parts.body);
    for (const auto& member : body.as_object()) {
        if (common.contains({member.key().data(), member.key().size()})) continue;
        text += " " + std::string{member.key()} + "=" + boost::json::serialize(member.value());
    }
    return text;
}

std::string headers_of(const Problem& problem) {
    return render(problem, context).headers;
}

const domain::WallTime opening{1'795'346'760'123ms};  // 2026-11-22T11:26:00.123Z

TEST(Problem, EveryNoHasItsStatusCodeAndMembers) {
    using domain::Rejected;
    using domain::Rejection;
    using domain::StockRejected;
    using domain::StockRejection;

    const struct {
        Problem problem;
        std::string expect;
        std::string headers;
    } rows[] = {
        {problem(Rejected{.why = Rejection::sold_out}), "409 sold_out remaining=0", ""},
        {problem(Rejected{.why = Rejection::insufficient_stock, .remaining = 3}),
         "409 insufficient_stock remaining=3",
         ""},
        {problem(Rejected{.why = Rejection::user_limit_exceeded, .limit = 2, .used = 1}),
         "409 user_limit_exceeded limit=2 used=1",
         ""},
        {problem(Rejected{
             .why = Rejection::sale_not_open, .at = opening, .decided_at = opening - 1500ms}),
         R"(409 sale_not_open opensAt="2026-11-22T11:26:00.123Z")",
         "Retry-After: 2\r\n"},
        {problem(Rejected{.why = Rejection::sale_closed, .at = opening}),
         R"(410 sale_closed closedAt="2026-11-22T11:26:00.123Z")",
         ""},
        {problem(Rejected{.why = Rejection::item_not_found}), "404 item_not_found", ""},
        {problem(Rejected{.why = Rejection::idempotency_key_reused, .quantity_differs = true}),
         R"(422 idempotency_key_reused differs=["quantity"])",
         ""},
        {problem(Rejected{
             .why = Rejection::idempotency_key_reused,
             .item_differs = true,
             .quantity_differs = true}),
         R"(422 idempotency_key_reused differs=["itemId","quantity"])",
         ""},
        {problem(Rejected{.why = Rejection::idempotency_in_progress}),
         "409 idempotency_in_progress",
         "Retry-After: 1\r\n"},
        {problem(StockRejected{StockRejection::below_committed, 7, 9}),
         "409 below_committed committed=7 total=9",
         ""},
        {problem(StockRejected{StockRejection::item_not_found}), "404 item_not_found", ""},
        {problem(StockRejected{StockRejection::total_too_large}), "409 total_too_large", ""},
        {problem(StockRejected{StockRejection::window_invalid}), "422 window_invalid", ""},
        {problem(StockRejected{StockRejection::idempotency_key_reused}),
         "422 idempotency_key_reused",
         ""},
        {problem(ports::LedgerError::unavailable, 0),
         R"(503 please_wait reason="storage_unavailable")",
         "Retry-After: 2\r\n"},
        {problem(ports::LedgerError::rebuilding, 0),
         R"(503 please_wait reason="rebuilding")",
         "Retry-After: 1\r\n"},
        {problem(ports::LedgerError::circuit_open, 0),
         R"(503 please_wait reason="breaker_open")",
         "Retry-After: 2\r\n"},
        {problem(ports::LedgerError::backlog, 0),
         R"(503 please_wait reason="overloaded")",
         "Retry-After: 1\r\n"},
        {problem(ports::LedgerError::deadline_passed, 0),
         R"(503 please_wait reason="deadline_passed")",
         "Retry-After: 1\r\n"},
        {problem(ports::LedgerError::storage_full, 0),
         R"(503 please_wait reason="storage_full")",
         "Retry-After: 10\r\n"},
        {problem(ports::LedgerError::outcome_unknown, 0),
         "504 outcome_unknown",
         "Firstcome-Should-Retry: true\r\n"},
        {problem(ports::StoreError::unavailable, 0),
         R"(503 please_wait reason="storage_unavailable")",
         "Retry-After: 2\r\n"},
        {problem(ports::StoreError::corrupt, 0), "500 internal", ""},
        {problem(app::Shed::overloaded, 0),
         R"(503 please_wait reason="overloaded")",
         "Retry-After: 1\r\n"},
        {problem(app::Shed::draining, 0),
         R"(503 please_wait reason="draining")",
         "Retry-After: 1\r\n"},
        {problem(app::Shed::too_late, 0),
         R"(503 please_wait reason="deadline_passed")",
         "Retry-After: 1\r\n"},
        {problem(InputErrors{
             {"/quantity", InputErrorCode::out_of_range}, {"/a\"b", InputErrorCode::required}}),
         R"(400 validation_failed errors=[{"pointer":"/quantity","code":"out_of_range"},)"
         R"({"pointer":"/a\"b","code":"required"}])",
         ""},
        {problem(KeyError::empty),
         "400 idempotency_key_invalid",
         "Link: </openapi.json>; rel=\"describedby\"; type=\"application/json\"\r\n"},
        {problem(ProblemCode::idempotency_key_missing),
         "400 idempotency_key_missing",
         "Link: </openapi.json>; rel=\"describedby\"; type=\"application/json\"\r\n"},
        {problem(ProblemCode::unauthorized),
         "401 unauthorized",
         "WWW-Authenticate: Bearer realm=\"firstcome\"\r\n"},
        {problem(ProblemCode::forbidden),
         "403 forbidden",
         "WWW-Authenticate: Bearer realm=\"firstcome\", error=\"insufficient_scope\"\r\n"},
        {method_not_allowed("GET, POST"), "405 method_not_allowed", "Allow: GET, POST\r\n"},
        {rate_limited({.policy = "user", .quota = 10, .window = 2s}, 1s),
         R"(429 rate_limited violatedPolicies=["user"])",
         "Retry-After: 1\r\nRateLimit-Policy: \"user\";q=10;w=2\r\n"
         "RateLimit: \"user\";r=0;t=1\r\n"},
        {problem(ProblemCode::dead_letter_not_found), "404 dead_letter_not_found", ""},
        {problem(ProblemCode::dead_letter_busy), "409 dead_letter_busy", ""},
        {problem(ProblemCode::redrive_running), "409 redrive_running", ""},
        {problem(ProblemCode::redrive_not_found), "404 redrive_not_found", ""},
        {problem(ProblemCode::redrive_ended), "409 redrive_ended", ""},
        {problem(ProblemCode::malformed_request), "400 malformed_request", ""},
        {problem(ProblemCode::headers_too_large), "431 headers_too_large", ""},
        {problem(ProblemCode::uri_too_long), "414 uri_too_long", ""},
        {problem(ProblemCode::payload_too_large), "413 payload_too_large", ""},
        {problem(ProblemCode::unsupported_media_type),
         "415 unsupported_media_type",
         "Accept: application/json\r\n"},
        {problem(ProblemCode::not_found), "404 not_found", ""},
        {problem(ProblemCode::order_not_found), "404 order_not_found", ""},
        {problem(ProblemCode::request_timeout), "408 request_timeout", ""},
        {problem(ProblemCode::expectation_failed), "417 expectation_failed", ""},
        {problem(ProblemCode::version_not_supported), "505 version_not_supported", ""},
        {problem(ProblemCode::internal), "500 internal", ""},
    };

    std::set<ProblemCode> met;
    for (const auto& row : rows) {
        EXPECT_EQ(aloud(row.problem), row.expect);
        EXPECT_EQ(headers_of(row.problem), row.headers) << row.expect;
        met.insert(row.problem.code);
    }
    EXPECT_EQ(met.size(), problem_code_count) << "a code is missing in this table";
}

TEST(Problem, TheDomainsWordIsTheCode) {
    for (const domain::Rejection why : domain::rejections) {
        EXPECT_EQ(row(problem_code(why)).code, domain::name(why));
    }
    for (const domain::StockRejection why :
         {domain::StockRejection::below_committed,
          domain::StockRejection::item_not_found,
          domain::StockRejection::total_too_large,
          domain::StockRejection::window_invalid,
          domain::StockRejection::idempotency_key_reused}) {
        EXPECT_EQ(row(problem_code(why)).code, domain::name(why));
    }
}

TEST(Problem, EveryRowIsComplete) {
    std::set<std::string_view> codes;
    for (std::size_t at = 0; at < problem_code_count; ++at) {
        const ProblemRow& known = row(static_cast<ProblemCode>(at));
        codes.insert(known.code);
        EXPECT_GE(known.status, 400) << known.code;
        EXPECT_LE(known.status, 599) << known.code;
        EXPECT_FALSE(known.title.empty()) << known.code;
        EXPECT_TRUE(known.detail.ends_with('.')) << known.code;
    }
    EXPECT_EQ(codes.size(), problem_code_count);
}

TEST(Problem, TheBodyIsWhatRfc9457Asks) {
    const boost::json::value body =
        body_of(problem(domain::Rejected{.why = domain::Rejection::sold_out}));
    EXPECT_EQ(body.at("type").as_string(), "/problems/sold_out");
    EXPECT_EQ(body.at("title").as_string(), "Sold out");
    EXPECT_EQ(body.at("status").as_int64(), 409);
    EXPECT_EQ(body.at("code").as_string(), "sold_out");
    EXPECT_FALSE(body.at("detail").as_string().empty());
    EXPECT_EQ(body.at("instance").as_string(), "/api/v1/orders");
    EXPECT_EQ(body.at("traceId").as_string(), "0af7651916cd43dd8448eb211c80319c");
}

TEST(Problem, ADetailOfItsOwnReplacesTheRows) {
    const boost::json::value body = body_of(problem(ProblemCode::not_found, "say \"this\""));
    EXPECT_EQ(body.at("detail").as_string(), "say \"this\"");
    EXPECT_EQ(
        std::string_view{body_of(problem(KeyError::sent_twice)).at("detail").as_string()},
        detail(KeyError::sent_twice)
    );
}

TEST(Problem, AHostileTargetStaysAString) {
    const ProblemContext hostile{.instance = "/\"},{\"x\":\"\r\n\xFF", .trace_id = {}};
    const auto body = boost::json::parse(render(problem(ProblemCode::not_found), hostile).body);
    EXPECT_EQ(body.at("instance").as_string(), "/\"},{\"x\":\"\r\n\xEF\xBF\xBD");
    EXPECT_FALSE(body.as_object().contains("x"));
    EXPECT_FALSE(body.as_object().contains("traceId")) << "left out when there is none";
}

TEST(PleaseWait, TellsTheBuyerToWaitInTwoLanguages) {
    for (const WaitReason why :
         {WaitReason::overloaded,
          WaitReason::draining,
          WaitReason::rebuilding,
          WaitReason::breaker_open,
          WaitReason::storage_unavailable,
          WaitReason::storage_full,
          WaitReason::deadline_passed}) {
        const boost::json::value body = body_of(please_wait(why, 0));
        EXPECT_EQ(std::string_view{body.at("reason").as_string()}, name(why));
        const std::string_view message = body.at("message").as_string();
        EXPECT_NE(message.find("lease wait"), std::string_view::npos) << message;
        EXPECT_NE(message.find("대기"), std::string_view::npos) << message;
    }
}

TEST(PleaseWait, ChanceSpreadsTheReturnWithinBounds) {
    std::set<std::chrono::seconds> waits;
    for (std::uint64_t chance = 0; chance < 1000; ++chance) {
        waits.insert(please_wait(WaitReason::overloaded, chance).retry_after.value());
    }
    EXPECT_EQ(waits, (std::set<std::chrono::seconds>{1s, 2s, 3s}));
}

TEST(Problem, RetryAfterIsNeverZero) {
    const domain::Rejected due{
        .why = domain::Rejection::sale_not_open, .at = opening, .decided_at = opening};
    EXPECT_EQ(problem(due).retry_after, 1s);
    EXPECT_EQ(rate_limited({.policy = "ip"}, 0s).retry_after, 1s);
}

TEST(Problem, PartsAreUsedAgainWithoutATrace) {
    ProblemParts parts;
    render(rate_limited({.policy = "ip"}, 5s), context, parts);
    render(problem(ProblemCode::not_found), context, parts);
    EXPECT_EQ(parts.status, 404);
    EXPECT_EQ(parts.code, "not_found");
    EXPECT_EQ(parts.headers, "");
    EXPECT_EQ(boost::json::parse(parts.body).at("code").as_string(), "not_found");
}

}  // namespace
}  // namespace firstcome::http
