// tests/telemetry/scrapes_test.cpp - fresh for a scraper, bounded for whoever asks without end
#include "telemetry/scrapes.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <future>
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

/// The second rendering ends when the test says so.
class ScrapingAtOnce : public testing::Test {
protected:
    void SetUp() override { ASSERT_EQ(scrapes.text(), "1"); }

    std::future<std::string> scraped() {
        return std::async(std::launch::async, [this] { return scrapes.text(); });
    }

    test::ManualClock clock;
    int rendered = 0;  // by one at a time
    std::promise<void> began;
    std::promise<void> go_on;
    Scrapes scrapes{
        [this] {
            const int number = ++rendered;
            if (number == 2) {
                began.set_value();
                go_on.get_future().wait();
            }
            return std::to_string(number);
        },
        clock};
};

TEST_F(ScrapingAtOnce, NobodyWaitsForWhatAnotherHasRendered) {
    auto slow = scraped();
    began.get_future().wait();
    EXPECT_EQ(scrapes.text(), "1") << "while the next is rendered";
    go_on.set_value();
    EXPECT_EQ(slow.get(), "2");
    EXPECT_EQ(scrapes.text(), "3");
}

TEST_F(ScrapingAtOnce, NobodyReadsWhatTheScrapeBeforeHasRead) {
    clock.pass(15s);
    auto slow = scraped();
    began.get_future().wait();
    auto other = scraped();
    go_on.set_value();
    EXPECT_EQ(slow.get(), "2");
    EXPECT_NE(other.get(), "1") << "as old as the pace of a scraper";
}

}  // namespace
}  // namespace firstcome::telemetry
