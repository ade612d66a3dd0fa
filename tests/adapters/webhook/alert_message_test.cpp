// tests/adapters/webhook/alert_message_test.cpp - alerts as the JSON each kind of receiver reads
#include "adapters/webhook/alert_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace firstcome::webhook {
namespace {

using namespace std::chrono_literals;
using ports::Alert;
using ports::AlertKind;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr base::WallTime noon = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 12h;

std::vector<Alert> two() {
    return {
        {.kind = AlertKind::stock_low,
         .subject = "shoe",
         .instance = {},
         .summary = "7 of 100 units of shoe are left",
         .starts_at = noon},
        {.kind = AlertKind::breaker_open,
         .subject = "redis",
         .instance = "shop-1:8080",
         .summary = "The circuit breaker redis is OPEN",
         .starts_at = noon,
         .ends_at = noon + 1500ms},
    };
}

TEST(AlertmanagerBody, TellsWhatFiresAndWhatIsOver) {
    EXPECT_EQ(
        alertmanager_body(two(), "http://shop-1:8080", noon + 10s, 4min),
        R"([{"labels":{"alertname":"StockLow","severity":"info","item":"shoe"},)"
        R"("annotations":{"summary":"7 of 100 units of shoe are left",)"
        R"("runbook_url":"docs/operating.md#stocklow"},)"
        R"("startsAt":"2026-11-22T12:00:00.000Z","endsAt":"2026-11-22T12:04:10.000Z",)"
        R"("generatorURL":"http://shop-1:8080/api/v1/admin/alerts"},)"
        R"({"labels":{"alertname":"BreakerOpen","severity":"critical","name":"redis",)"
        R"("instance":"shop-1:8080"},)"
        R"("annotations":{"summary":"The circuit breaker redis is OPEN",)"
        R"("runbook_url":"docs/operating.md#breakeropen"},)"
        R"("startsAt":"2026-11-22T12:00:00.000Z","endsAt":"2026-11-22T12:00:01.500Z",)"
        R"("generatorURL":"http://shop-1:8080/api/v1/admin/alerts"}])"
    );
}

TEST(GenericBody, HasTheShapeOfAlertmanagersWebhook) {
    const std::string both = generic_body(two(), "http://shop-1:8080");
    EXPECT_THAT(
        both,
        AllOf(
            StartsWith(R"({"version":"4",)"),
            HasSubstr(R"("truncatedAlerts":0,"status":"firing","receiver":"firstcome")"),
            HasSubstr(R"("alerts":[{"status":"firing","labels":{"alertname":"StockLow")"),
            HasSubstr(R"("endsAt":"0001-01-01T00:00:00Z")"),
            HasSubstr(R"({"status":"resolved","labels":{"alertname":"BreakerOpen")"),
            HasSubstr(R"("endsAt":"2026-11-22T12:00:01.500Z")")
        )
    );
    EXPECT_THAT(
        generic_body(std::vector{two()[1]}, "http://shop-1:8080"),
        HasSubstr(R"("truncatedAlerts":0,"status":"resolved")")
    ) << "all of them are over";
}

TEST(SlackBody, IsALineAnAlert) {
    EXPECT_EQ(
        slack_body(two()),
        R"x({"text":"[FIRING] StockLow: 7 of 100 units of shoe are left\n)x"
        R"x([RESOLVED] BreakerOpen: The circuit breaker redis is OPEN (shop-1:8080)"})x"
    );
    const std::vector<Alert> many(25, two()[0]);
    EXPECT_THAT(slack_body(many), EndsWith(R"(are left\nand 5 more"})"));
}

TEST(AlertBodies, CannotBeBrokenByAStrangersText) {
    std::vector<Alert> alerts{two()[0]};
    alerts[0].subject = "\"}]\n\\";
    alerts[0].summary = "<!channel> & \"you\"\r\n\xff";
    for (const std::string& body :
         {alertmanager_body(alerts, "http://a", noon, 1s), generic_body(alerts, "http://a")}) {
        EXPECT_THAT(
            body,
            AllOf(
                HasSubstr(R"("item":"\"}] \\")"),
                HasSubstr(R"(& \"you\"  ?")"),
                Not(HasSubstr("\n")),
                Not(HasSubstr("\xff"))
            )
        );
    }
    EXPECT_EQ(
        slack_body(alerts), R"({"text":"[FIRING] StockLow: &lt;!channel&gt; &amp; \"you\"  ?"})"
    );
}

}  // namespace
}  // namespace firstcome::webhook
