// tests/telemetry/scrapes_test.cpp - fresh for a scraper, bounded for whoever asks without end
#include "telemetry/scrapes.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;

class Scraping : public testing::Test {
protected:
    test::ManualClock clock;
    int rendered = 0;
    Scrapes scrapes{
        [this] {
            clock.pass(5ms);
            return std::to_string(++rendered);
        },
        clock};
};

TEST_F(Scraping, AScraperAlwaysGetsFreshFigures) {
    for (int scrape = 1; scrape <= 100; ++scrape) {
        EXPECT_EQ(scrapes.text(), std::to_string(scrape));
        clock.pass(100ms);
    }
}

TEST_F(Scraping, ATenthOfASecondMayBeRenderedAtOnce) {
    for (int scrape = 1; scrape <= 20; ++scrape) {
        EXPECT_EQ(scrapes.text(), std::to_string(scrape)) << "as tests and people ask";
    }
}

TEST_F(Scraping, WhoeverAsksWithoutEndTakesATenthOfTheTimeAndReadsNothingOld) {
    const auto start = clock.monotonic();
    auto fresh_at = start;
    std::string last;
    for (int asked = 0; asked < 10'000; ++asked) {
        const std::string text = scrapes.text();
        if (text != last) fresh_at = clock.monotonic();
        last = text;
        EXPECT_LE(clock.monotonic() - fresh_at, 51ms) << "ten times what it costs";
        clock.pass(1ms);
    }
    const auto passed = clock.monotonic() - start;
    EXPECT_LE(rendered * 5ms, passed / 10 + 110ms);
    EXPECT_GE(rendered * 5ms, passed / 10) << "and no less: figures go on";
}

}  // namespace
}  // namespace firstcome::telemetry
