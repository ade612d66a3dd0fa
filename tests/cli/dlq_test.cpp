// tests/cli/dlq_test.cpp - what firstcome dlq sends, prints and exits with
#include "tests/cli/verbs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::cli {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using DlqVerbs = Verbs;

const std::string entry =
    R"({"id":17,"status":"dead","cause":"invalid","consumer":"orders","eventId":"e-1",)"
    R"("eventType":"order.accepted","orderId":"o-1","itemId":"shoe","attempts":5,)"
    R"("firstFailure":"2026-11-22T11:58:30.000Z","lastFailure":"2026-11-22T11:59:55.000Z",)"
    R"("nextAttempt":null,"lastError":"bad\u001b[2J\u009b1A row","traceId":null,)"
    R"("payload":{"userId":"ann","quantity":2}})";

TEST_F(DlqVerbs, ListPrintsATable) {
    OneAnswer server{http(
        200,
        R"({"entries":[)" + entry +
            R"(],"total":12,"oldestAgeSeconds":90,"byCause":{"invalid":3},"nextCursor":"17"})"
    )};
    const auto ended = run_at(
        server.address(),
        {"dlq", "list", "--status", "dead", "--cause", "invalid", "--item", "shoe", "--limit", "1"}
    );
    EXPECT_EQ(ended.code, ok) << ended.err;
    EXPECT_EQ(
        ended.out,
        "total             12\n"
        "oldestAgeSeconds  90\n"
        "byCause.invalid   3\n"
        "nextCursor        17\n"
        "\nentries\n"
        "id  status    cause  consumer       eventType  itemId  orderId  attempts  "
        "            firstFailure  nextAttempt       lastError\n"
        "17    dead  invalid    orders  order.accepted    shoe      o-1         5  "
        "2026-11-22T11:58:30.000Z            -  bad [2J 1A row\n"
    );
    EXPECT_THAT(
        server.request(),
        AllOf(
            StartsWith("GET /api/v1/admin/dlq?limit=1&status=dead&cause=invalid&itemId=shoe HTTP"),
            HasSubstr("Authorization: Bearer s3cret\r\n")
        )
    );
}

TEST_F(DlqVerbs, ALongErrorIsCutInTheTableOnly) {
    const std::string error = std::string(59, 'x') + "\xc3\xa9 and more";
    const std::string body = R"({"entries":[{"id":1,"lastError":")" + error + R"("}],"total":1})";
    OneAnswer first{http(200, body)};
    const auto table = run_at(first.address(), {"dlq", "list"});
    EXPECT_THAT(table.out, HasSubstr(std::string(59, 'x') + "...\n")) << "never half a character";
    OneAnswer second{http(200, body)};
    EXPECT_EQ(run_at(second.address(), {"dlq", "list", "--json"}).out, body + "\n");
}

TEST_F(DlqVerbs, ShowPrintsEveryMember) {
    OneAnswer server{http(200, entry)};
    const auto ended = run_at(server.address(), {"dlq", "show", "17"});
    EXPECT_EQ(ended.code, ok) << ended.err;
    EXPECT_THAT(
        ended.out,
        AllOf(
            HasSubstr("eventId           e-1\n"),
            HasSubstr("nextAttempt       -\n"),
            HasSubstr("payload.quantity  2\n"),
            Not(HasSubstr("\x1b"))
        )
    );
    EXPECT_THAT(server.request(), StartsWith("GET /api/v1/admin/dlq/17 HTTP"));
}

TEST_F(DlqVerbs, ChangesSendTheirOwnRequests) {
    const struct {
        std::vector<std::string> words;
        const char* line;
        const char* body;
    } rows[] = {
        {{"retry", "17"}, "POST /api/v1/admin/dlq/17/retry HTTP", "\r\n\r\n"},
        {{"discard", "17", "--reason", "say \"no\""},
         "POST /api/v1/admin/dlq/17/discard HTTP",
         R"({"reason":"say \"no\""})"},
        {{"redrive"}, "POST /api/v1/admin/dlq/redrive HTTP", R"({"filter":{},"maxPerSecond":10})"},
        {{"redrive",
          "--cause",
          "duplicate",
          "--item",
          "42",
          "--consumer",
          "orders",
          "--per-second",
          "3"},
         "POST /api/v1/admin/dlq/redrive HTTP",
         R"({"filter":{"cause":"duplicate","itemId":"42","consumer":"orders"},"maxPerSecond":3})"},
        {{"cancel", "4"}, "DELETE /api/v1/admin/dlq/redrive/4 HTTP", "\r\n\r\n"},
    };

    for (const auto& row : rows) {
        OneAnswer server{http(202, R"({"status":"retrying"})")};
        std::vector<std::string> words{"dlq"};
        words.insert(words.end(), row.words.begin(), row.words.end());
        const auto ended = run_at(server.address(), words);
        EXPECT_EQ(ended.code, ok) << row.line << ended.err;
        EXPECT_EQ(ended.out, "status  retrying\n") << row.line;
        EXPECT_THAT(
            server.request(),
            AllOf(StartsWith(row.line), EndsWith(row.body), HasSubstr("Bearer s3cret"))
        );
    }
}

TEST_F(DlqVerbs, TasksPrintsTheirFilters) {
    OneAnswer server{http(
        200,
        R"({"tasks":[{"task":2,"status":"running","filter":{"cause":"invalid","itemId":7},)"
        R"("moved":3,"total":9},{"task":1,"status":"done","filter":{},"moved":9,"total":9}]})"
    )};
    const auto ended = run_at(server.address(), {"dlq", "tasks"});
    EXPECT_EQ(ended.code, ok) << ended.err;
    EXPECT_EQ(
        ended.out,
        "\ntasks\n"
        "task   status                  filter  moved  total\n"
        "2     running  cause=invalid itemId=7      3      9\n"
        "1        done                     all      9      9\n"
    );
    OneAnswer none{http(200, R"({"tasks":[]})")};
    EXPECT_EQ(run_at(none.address(), {"dlq", "tasks"}).out, "no redrive yet\n");
}

TEST_F(DlqVerbs, ExitAsTheServerAnswered) {
    OneAnswer busy{
        http(409, R"({"code":"dead_letter_busy","title":"T","detail":"It is being tried."})")};
    const auto ended = run_at(busy.address(), {"dlq", "retry", "17"});
    EXPECT_EQ(ended.code, refused);
    EXPECT_THAT(ended.err, HasSubstr("409 dead_letter_busy: It is being tried."));
    OneAnswer odd{http(200, R"({"entries":7})")};
    EXPECT_EQ(run_at(odd.address(), {"dlq", "list"}).code, failed);
    OneAnswer no_json{http(200, "hello")};
    EXPECT_EQ(run_at(no_json.address(), {"dlq", "tasks"}).code, failed);
}

TEST_F(DlqVerbs, RefuseWhatCannotBeMeant) {
    const std::vector<std::string> rows[] = {
        {"dlq"},
        {"dlq", "show"},
        {"dlq", "show", "0"},
        {"dlq", "retry", "x"},
        {"dlq", "discard", "17"},
        {"dlq", "list", "--status", "failed"},
        {"dlq", "list", "--cause", "luck"},
        {"dlq", "list", "--item", "a&b"},
        {"dlq", "list", "--cursor", "a&b"},
        {"dlq", "list", "--limit", "101"},
        {"dlq", "redrive", "--per-second", "0"},
        {"dlq", "cancel"},
    };
    for (const auto& words : rows) EXPECT_EQ(run(words).code, usage) << words.back();
}

}  // namespace
}  // namespace firstcome::cli
