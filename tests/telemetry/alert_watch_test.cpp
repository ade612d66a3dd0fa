// tests/telemetry/alert_watch_test.cpp - from figures to what is told, shown and counted
#include "telemetry/alert_watch.hpp"

#include "telemetry/alert_families.hpp"
#include "tests/support/manual.hpp"
#include "tests/telemetry/alert_receivers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <string>
#include <utility>

namespace firstcome::telemetry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Watch : public testing::Test {
protected:
    AlertWatch::Outlets outlets() {
        AlertWatch::Outlets made;
        made.push_back(std::make_unique<AlertOutlet>(
            OutletOptions{.name = "test"}, std::make_unique<test::TestAlertReceiver>(heard), clock
        ));
        outlet = made.back().get();
        return made;
    }

    void look(domain::Units remaining) {
        clock.pass(std::chrono::seconds{10});
        figures.at = clock.monotonic();
        figures.items[0].remaining = remaining;
        figures.items[0].sold = 100 - remaining;
        watch.look();
        outlet->step();
    }

    test::ManualClock clock;
    test::HeardAlerts heard;
    AlertOutlet* outlet = nullptr;
    AlertFigures figures;
    AlertWatch watch{{}, [this] { return figures; }, outlets(), clock};

    Watch() {
        figures.items.resize(1);
        figures.items[0].item = *domain::ItemId::from("shoe");
        figures.items[0].initial = 100;
    }
};

TEST_F(Watch, ADropIsToldAsItGoes) {
    for (const domain::Units remaining : {100, 50, 10, 5, 0, 0, 80, 80}) look(remaining);
    EXPECT_THAT(
        heard.calls,
        ElementsAre(
            ElementsAre("StockLow(shoe)"),
            ElementsAre("StockSoldOut(shoe)"),
            ElementsAre("-StockLow(shoe)", "-StockSoldOut(shoe)")
        )
    );
    EXPECT_THAT(watch.firing(), IsEmpty());
}

TEST_F(Watch, ShowsWhatFires) {
    look(10);
    ASSERT_THAT(watch.firing(), SizeIs(1));
    EXPECT_EQ(watch.firing()[0].subject, "shoe");
    Families families;
    add_alert_families(families, watch.stats());
    const std::string text = prometheus::TextSerializer{}.Serialize(families);
    for (const char* line : {
             "firstcome_alerts_firing{alert=\"StockLow\"} 1\n",
             "firstcome_alerts_firing{alert=\"InvariantViolated\"} 0\n",
             "firstcome_alerts_suppressed_total 0\n",
             "firstcome_alert_notifications_total{receiver=\"test\",result=\"told\"} 1\n",
             "firstcome_alert_notifications_total{receiver=\"test\",result=\"failed\"} 0\n",
             "firstcome_alert_notifications_waiting{receiver=\"test\"} 0\n",
         }) {
        EXPECT_THAT(text, HasSubstr(line));
    }
}

TEST_F(Watch, EndsWhenItIsToldTo) {
    watch.start();
    watch.stop();
}

}  // namespace
}  // namespace firstcome::telemetry
