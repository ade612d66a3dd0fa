// tests/cli/verbs_test.cpp - what a verb sends, prints and exits with
#include "tests/cli/verbs.hpp"

#include "cli/api_client.hpp"
#include "cli/cli.hpp"
#include "cli/stats_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace firstcome::cli {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST_F(Verbs, StockSetSendsTheTokenAKeyAndWhatWasSaid) {
    OneAnswer server{http(200, R"({"itemId":"p1","remaining":100,"opensAt":null})")};
    const auto ended = run_at(
        server.address(),
        {"stock",
         "set",
         "p1",
         "100",
         "--opens-at",
         "2026-12-24T18:00:00+09:00",
         "--closes-at",
         "none",
         "--per-user-limit",
         "2",
         "--reason",
         "say \"drop\"",
         "--key",
         "k1"}
    );
    EXPECT_EQ(ended.code, ok) << ended.err;
    EXPECT_EQ(ended.out, "itemId        p1\nremaining     100\nopensAt       -\n");
    EXPECT_THAT(
        server.request(),
        AllOf(
            StartsWith("POST /api/v1/admin/stock HTTP/1.1\r\n"),
            HasSubstr("Authorization: Bearer s3cret\r\n"),
            HasSubstr("Content-Type: application/json\r\n"),
            HasSubstr("Idempotency-Key: k1\r\n"),
            EndsWith(R"({"itemId":"p1","operation":"set","quantity":100,)"
                     R"("opensAt":"2026-12-24T18:00:00+09:00","closesAt":null,"perUserLimit":2,)"
                     R"("reason":"say \"drop\""})")
        )
    );
}

TEST_F(Verbs, StockChangesSendTheirOwnBodies) {
    const struct {
        std::vector<std::string> words;
        const char* body;
    } rows[] = {
        {{"add", "p1", "5"}, R"({"itemId":"p1","operation":"add","quantity":5})"},
        {{"remove", "p1", "5"}, R"({"itemId":"p1","operation":"remove","quantity":5})"},
        {{"limit", "p1", "3"},
         R"({"itemId":"p1","operation":"add","quantity":0,"perUserLimit":3})"},
        {{"limit", "p1", "none"},
         R"({"itemId":"p1","operation":"add","quantity":0,"perUserLimit":null})"},
        {{"window", "p1", "--opens-at", "none"},
         R"({"itemId":"p1","operation":"add","quantity":0,"opensAt":null})"},
    };

    for (const auto& row : rows) {
        OneAnswer server{http(200, "{}")};
        std::vector<std::string> words{"stock"};
        words.insert(words.end(), row.words.begin(), row.words.end());
        EXPECT_EQ(run_at(server.address(), words).code, ok) << row.body;
        EXPECT_THAT(
            server.request(),
            AllOf(EndsWith(row.body), ContainsRegex("Idempotency-Key: cli-[0-9a-f]{32}\r\n"))
        );
    }
}

TEST_F(Verbs, StockGetIsOpenToEverybody) {
    OneAnswer server{http(200, R"({"itemId":42,"remaining":7})")};
    const auto ended =
        run({"stock", "get", "42", "--url", "http://" + server.address() + "/", "--json"});
    EXPECT_EQ(ended.code, ok);
    EXPECT_EQ(ended.out, "{\"itemId\":42,\"remaining\":7}\n");
    EXPECT_THAT(server.request(), StartsWith("GET /api/v1/orders/stock/42 HTTP/1.1\r\n"));
    EXPECT_THAT(server.request(), Not(HasSubstr("Authorization")))
        << "no token where none is needed";
}

TEST_F(Verbs, ExitAsTheServerAnswered) {
    const struct {
        int status;
        std::string body;
        int code;
        std::string_view says;
    } rows[] = {
        {401, R"({"code":"unauthorized","title":"No"})", not_authorized, "401 unauthorized: No"},
        {403, R"({"code":"forbidden","title":"No"})", not_authorized, "403 forbidden: No"},
        {409,
         R"({"code":"below_committed","title":"T","detail":"7 are sold.","traceId":"0af7"})",
         refused,
         "409 below_committed: 7 are sold. (trace 0af7)"},
        {400,
         R"({"code":"validation_failed","title":"T","errors":[{"pointer":"/q"}]})",
         refused,
         R"(400 validation_failed: T [{"pointer":"/q"}])"},
        {503, R"({"code":"please_wait","title":"Wait"})", failed, "503 please_wait: Wait"},
        {502, "<html>\x1b[2J", failed, "502 <html> [2J"},
        {302, "", failed, "302"},
    };

    for (const auto& row : rows) {
        OneAnswer server{http(row.status, row.body)};
        const auto ended = run_at(server.address(), {"stock", "add", "p1", "1"});
        EXPECT_EQ(ended.code, row.code) << row.status;
        EXPECT_THAT(ended.err, StartsWith("firstcome: " + std::string{row.says})) << row.status;
        EXPECT_THAT(ended.out, IsEmpty());
        EXPECT_EQ(ended.err.find("--key") != std::string::npos, row.status >= 500)
            << "only an unclear end asks for a repeat";
    }
}

TEST_F(Verbs, SayThatNobodyListens) {
    std::string address;
    {
        OneAnswer gone{""};
        address = gone.address();
    }
    const auto ended = run_at(address, {"stock", "add", "p1", "1"});
    EXPECT_EQ(ended.code, unreachable);
    EXPECT_THAT(ended.err, AllOf(HasSubstr(address), HasSubstr("firstcome serve")));
    EXPECT_THAT(ended.err, Not(HasSubstr("--key"))) << "nothing can have been changed";
}

TEST_F(Verbs, GiveTheKeyToRepeatAnUnclearChange) {
    OneAnswer server{""};  // takes the request and hangs up
    const auto ended = run_at(server.address(), {"stock", "add", "p1", "1", "--key", "k7"});
    EXPECT_EQ(ended.code, unreachable);
    EXPECT_THAT(ended.err, HasSubstr("--key k7: it takes effect once"));
}

TEST_F(Verbs, SayWhereTheTokenWasLookedFor) {
    const auto ended = run({"stats", "--data", "/nonexistent"});
    EXPECT_EQ(ended.code, not_authorized);
    EXPECT_THAT(ended.err, HasSubstr("/nonexistent/admin.token"));
}

TEST_F(Verbs, KeepTheTokenFromAProxy) {
    OneAnswer proxy{http(200, "{}")};
    OneAnswer server{http(200, "{}")};
    setenv("http_proxy", ("http://" + proxy.address()).c_str(), 1);
    const auto ended = run_at(server.address(), {"stats"});
    unsetenv("http_proxy");
    EXPECT_EQ(ended.code, ok) << ended.err;
    EXPECT_THAT(proxy.request(), IsEmpty());
    EXPECT_THAT(server.request(), HasSubstr("Bearer s3cret"));
}

TEST_F(Verbs, RefuseWhatCannotBeMeant) {
    const std::vector<std::string> rows[] = {
        {"stock"},
        {"stock", "set", "p1"},
        {"stock", "set", "p1", "-1"},
        {"stock", "set", "p1", "1.5"},
        {"stock", "set", "p 1", "1"},
        {"stock", "set", "../x", "1"},
        {"stock", "limit", "p1", "0"},
        {"stock", "limit", "p1", "few"},
        {"stock", "window", "p1"},
        {"stats", "--timeout", "0"},
        {"stats", "--set", "lane.count=0"},
        {"stats", "--item", "a&b"},
    };
    for (const auto& words : rows) EXPECT_EQ(run(words).code, usage) << words.back();
}

TEST_F(Verbs, StatsShowsLinesAndATable) {
    OneAnswer server{http(
        200,
        R"({"totals":{"sold":12,"ratePerSecond10s":1.25},"items":[)"
        R"({"itemId":"a","sold":10},{"itemId":"long-name","sold":2,"new":1}],"breakers":[]})"
    )};
    const auto ended = run_at(server.address(), {"stats", "--item", "a"});
    EXPECT_EQ(ended.code, ok) << ended.err;
    EXPECT_EQ(
        ended.out,
        "totals.sold              12\n"
        "totals.ratePerSecond10s  1.2\n"
        "\nitems\n"
        "itemId     sold\n"
        "a            10\n"
        "long-name     2\n"
    );
    EXPECT_THAT(server.request(), StartsWith("GET /api/v1/admin/stats?itemId=a HTTP/1.1\r\n"));
}

TEST_F(Verbs, StatsFailsOnWhatIsNoJson) {
    OneAnswer server{http(200, "hello")};
    EXPECT_EQ(run_at(server.address(), {"stats"}).code, failed);
}

TEST_F(Verbs, HealthcheckAsksWhetherTheServerIsReady) {
    OneAnswer ready{http(200, "{}")};
    EXPECT_EQ(run_at(ready.address(), {"healthcheck"}).code, ok);
    EXPECT_THAT(ready.request(), StartsWith("GET /readyz HTTP/1.1\r\n"));
    OneAnswer draining{http(503, "{}")};
    EXPECT_EQ(run_at(draining.address(), {"healthcheck"}).code, failed);
}

TEST_F(Verbs, HealthcheckAsksWhereProbesAreUnlessItIsToldWhere) {
    const auto tls = [&](const std::string& probes) {
        return std::vector<std::string>{
            "healthcheck",
            "--set",
            "health.listen=" + probes,
            "--set",
            "server.tls_certificate=c.pem",
            "--set",
            "server.tls_key=k.pem"};
    };
    OneAnswer probes{http(200, "{}")};
    const auto ended = run_at("127.0.0.1:1", tls(probes.address()));
    EXPECT_EQ(ended.code, ok) << ended.err;
    EXPECT_THAT(probes.request(), StartsWith("GET /readyz HTTP/1.1\r\n")) << "never with TLS";

    OneAnswer named{http(200, "{}")};
    auto words = tls("127.0.0.1:1");
    words.insert(words.end(), {"--url", "http://" + named.address()});
    EXPECT_EQ(run_at("127.0.0.1:1", words).code, ok);

    OneAnswer server{http(200, "{}")};
    OneAnswer no_probe{http(200, "{}")};
    const auto set = "health.listen=" + no_probe.address();
    EXPECT_EQ(run_at(server.address(), {"stats", "--set", set}).code, ok);
    EXPECT_THAT(no_probe.request(), IsEmpty()) << "no other verb is answered there";
}

TEST_F(Verbs, AClientCertificateIsTwoFilesThatAreThere) {
    const std::string file = (directory_.path() / "admin.token").string();

    const struct {
        std::vector<std::string> words;
        std::string_view why;
    } rows[] = {
        {{"--cert-file", file}, "no key"},
        {{"--key-file", file}, "no certificate"},
        {{"--cert-file", file, "--key-file", "/no/such.key"}, "no such key"},
        {{"--cert-file", "/no/such.pem", "--key-file", file}, "no such certificate"},
    };

    for (const auto& row : rows) {
        std::vector<std::string> words{"stats", "--url", "https://127.0.0.1:1"};
        words.insert(words.end(), row.words.begin(), row.words.end());
        EXPECT_EQ(run_at("127.0.0.1:1", words).code, usage) << row.why;
    }
    OneAnswer server{http(200, "{}")};
    const auto both = run_at(server.address(), {"stats", "--cert-file", file, "--key-file", file});
    EXPECT_EQ(both.code, ok) << "not read where there is no TLS";
}

TEST_F(Verbs, CheckConfigTellsEveryMistake) {
    const auto bad = run({"check-config", "--set", "lane.count=0", "--set", "lane.size=1"});
    EXPECT_EQ(bad.code, usage);
    EXPECT_THAT(bad.err, AllOf(HasSubstr("lane.count"), HasSubstr("lane.size")));
    EXPECT_THAT(bad.out, IsEmpty());
    const auto refused_mode = run({"check-config", "--set", "auth.mode=jwt"});
    EXPECT_EQ(refused_mode.code, usage);
    EXPECT_THAT(refused_mode.err, HasSubstr("auth.mode = jwt needs auth.key_file"));
    const auto open = run({"check-config", "--listen", "0.0.0.0:80"});
    EXPECT_EQ(open.code, ok);
    EXPECT_THAT(open.err, HasSubstr("warning: Listening on 0.0.0.0:80 without TLS"));
}

TEST_F(Verbs, PrintConfigShowsWhatIsInForce) {
    const auto ended =
        run({"print-config", "--set", "lane.count=3", "--set", "redis.url=redis://p@h"});
    EXPECT_EQ(ended.code, ok);
    EXPECT_THAT(ended.out, AllOf(HasSubstr("count = 3  # --set"), Not(HasSubstr("redis://p@h"))));
    EXPECT_EQ(run({"print-config", "--reference"}).out, config::reference());
}

TEST(StatsTable, IsOnlyForObjects) {
    EXPECT_FALSE(stats_table(""));
    EXPECT_FALSE(stats_table("[1]"));
    EXPECT_EQ(stats_table("{}"), "");
    EXPECT_EQ(stats_table(R"({"items":[],"a\u001b":"\u001b[2J"})"), "a    [2J\n");
}

TEST(StatsTable, ShowsListsWhereverTheyStand) {
    const auto shown =
        stats_table(R"({"outbox":{"pending":2,"lines":[{"stage":"orders","pending":2}]},)"
                    R"("troubles":["the webhook waits","look"]})");
    EXPECT_EQ(
        shown,
        "outbox.pending  2\n"
        "\noutbox.lines\nstage   pending\norders        2\n"
        "\ntroubles\n  the webhook waits\n  look\n"
    );
}

}  // namespace
}  // namespace firstcome::cli
