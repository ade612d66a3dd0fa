// tests/cli/bench_report_test.cpp - the summary says what happened, and its JSON can be read
#include "cli/bench_report.hpp"

#include <gtest/gtest.h>

namespace firstcome::cli {
namespace {

using namespace std::chrono_literals;

struct FinishedRun {
    BenchOptions options{.server = "127.0.0.1:1", .item = "tickets"};
    Naming naming{.run_tag = "00c0ffee"};
    Witness seen{10, 1};
    BenchResult result{options, naming, seen, 2s, 6us, 20us};

    FinishedRun() {
        seen.answered({}, {.status = 202, .sequence = 1}, {}, nullptr);
        seen.answered({}, {.status = 409, .code = "sold_out"}, {}, nullptr);
        seen.live.calls = 2;
        seen.accepted_latency.record(1'500us);
    }
};

TEST(BenchSummary, SaysRatesAnswersLatencyAndCost) {
    const FinishedRun run;
    const std::string text = summary_text(run.result);
    EXPECT_NE(text.find("409 sold_out"), std::string::npos) << text;
    EXPECT_NE(text.find("p99 1.50 ms"), std::string::npos) << text;
    EXPECT_NE(text.find("client 3.00 us per call"), std::string::npos) << text;
    EXPECT_NE(text.find("server 20.00 us per accepted order"), std::string::npos) << text;
}

TEST(BenchSummary, IsOneJsonObject) {
    FinishedRun run;
    run.result.audit = {{.ok = false, .text = "a \"quoted\"\nline"}};
    const std::string text = summary_json(run.result);
    EXPECT_NE(text.find(R"("accepted":1,)"), std::string::npos) << text;
    EXPECT_NE(text.find(R"({"status":409,"code":"sold_out","count":1})"), std::string::npos)
        << text;
    EXPECT_NE(text.find(R"({"ok":false,"text":"a \"quoted\"\nline"})"), std::string::npos) << text;
    EXPECT_TRUE(text.starts_with("{") && text.ends_with(R"("ok":false})")) << text;
}

TEST(BenchResult, IsNotWellAfterABrokenPromiseOrALostConnection) {
    FinishedRun run;
    EXPECT_TRUE(run.result.all_well());
    run.seen.connection_error("reset");
    EXPECT_FALSE(run.result.all_well());
    run.options.ride_out = true;
    EXPECT_TRUE(run.result.all_well()) << "lost connections are what riding out is for";
    run.seen.lost(1);
    EXPECT_FALSE(run.result.all_well()) << "somebody was left without an answer";
    FinishedRun other;
    other.result.audit = {{.ok = true, .text = ""}, {.ok = false, .text = ""}};
    EXPECT_FALSE(other.result.all_well());
}

}  // namespace
}  // namespace firstcome::cli
