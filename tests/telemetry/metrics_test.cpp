// tests/telemetry/metrics_test.cpp - what Prometheus reads after what the lanes have told
#include "telemetry/metrics.hpp"

#include "tests/telemetry/series.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <unistd.h>

namespace firstcome::telemetry {
namespace {

using namespace std::chrono_literals;
using domain::Accepted;
using domain::Outcome;
using domain::Rejected;
using domain::Rejection;
using testing::HasSubstr;
using testing::Not;

class ManualClock final : public base::Clock {
public:
    [[nodiscard]] base::MonotonicTime monotonic() const override { return now; }

    [[nodiscard]] base::WallTime wall() const override { return {}; }

    base::MonotonicTime now{1000s};
};

class MetricsTest : public testing::Test {
protected:
    void place(const std::vector<Outcome>& outcomes, unsigned lane = 0) {
        metrics_.batch_placed(
            lane,
            {.outcomes = outcomes,
             .size = outcomes.size(),
             .result = {},
             .queue_wait_oldest = 1ms,
             .place_time = 3ms}
        );
    }

    void fail(ports::LedgerError error, std::size_t size) {
        metrics_.batch_placed(0, {.outcomes = {}, .size = size, .result = std::unexpected(error)});
    }

    /// The value of the series, as written; empty: there is no such series.
    [[nodiscard]] std::string value(std::string_view series) const {
        return value_in(metrics_.scrape(), series);
    }

    ManualClock clock_;
    Metrics metrics_{2, {.version = "1.2.3", .mode = "embedded"}, clock_};
};

const Outcome accepted = Accepted{};
const Outcome replayed = Accepted{.order = {}, .replayed = true};

Outcome rejected(Rejection why) {
    return Rejected{.why = why};
}

TEST_F(MetricsTest, HasEveryOutcomeFromTheStart) {
    for (const auto why : domain::rejections) {
        const std::string name{domain::name(why)};
        EXPECT_EQ(value("firstcome_orders_total{outcome=\"" + name + "\"}"), "0") << name;
    }
    for (const char* name :
         {"accepted",
          "replayed",
          "unavailable",
          "storage_full",
          "rebuilding",
          "circuit_open",
          "backlog",
          "deadline_passed",
          "outcome_unknown"}) {
        EXPECT_EQ(value(std::string{"firstcome_orders_total{outcome=\""} + name + "\"}"), "0");
    }
    for (const char* name : {"replayed", "reused", "in_progress"}) {
        EXPECT_EQ(value(std::string{"firstcome_idempotency_total{result=\""} + name + "\"}"), "0");
    }
    EXPECT_EQ(value("firstcome_order_durable_seconds_count"), "0");
    EXPECT_EQ(value("firstcome_invariant_violations_total"), "0");
    EXPECT_EQ(value("firstcome_build_info{version=\"1.2.3\",mode=\"embedded\"}"), "1");
}

TEST_F(MetricsTest, CountsEachOrderUnderItsOutcome) {
    place({accepted, accepted, replayed, rejected(Rejection::sold_out)});
    place({accepted, rejected(Rejection::idempotency_key_reused)}, 1);
    fail(ports::LedgerError::unavailable, 5);
    fail(ports::LedgerError::storage_full, 6);
    fail(ports::LedgerError::outcome_unknown, 7);
    fail(ports::LedgerError::rebuilding, 8);
    fail(ports::LedgerError::circuit_open, 9);
    fail(ports::LedgerError::backlog, 10);
    fail(ports::LedgerError::deadline_passed, 11);
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"accepted\"}"), "3") << "of both lanes";
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"replayed\"}"), "1") << "not accepted twice";
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"sold_out\"}"), "1");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"idempotency_key_reused\"}"), "1");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"unavailable\"}"), "5");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"storage_full\"}"), "6");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"outcome_unknown\"}"), "7");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"rebuilding\"}"), "8");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"circuit_open\"}"), "9");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"backlog\"}"), "10");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"deadline_passed\"}"), "11");
    EXPECT_EQ(value("firstcome_idempotency_total{result=\"replayed\"}"), "1");
    EXPECT_EQ(value("firstcome_idempotency_total{result=\"reused\"}"), "1");
    EXPECT_EQ(metrics_.outcomes().front().count, 3U);
}

TEST_F(MetricsTest, CountsEveryRejectionUnderItsOwnName) {
    for (const auto why : domain::rejections) {
        place({rejected(why)});
        const std::string name{domain::name(why)};
        EXPECT_EQ(value("firstcome_orders_total{outcome=\"" + name + "\"}"), "1") << name;
    }
}

TEST_F(MetricsTest, TimesOrdersAndCommitsApart) {
    place({accepted, accepted, rejected(Rejection::sold_out)});  // waited 1 ms, placed in 3 ms
    place({rejected(Rejection::sold_out)});
    EXPECT_EQ(value("firstcome_order_decision_seconds_count"), "4") << "every decided order";
    EXPECT_EQ(value("firstcome_order_durable_seconds_count"), "2") << "accepted ones";
    EXPECT_EQ(value("firstcome_order_durable_seconds_sum"), "0.008");
    EXPECT_EQ(value("firstcome_order_durable_seconds_bucket{le=\"0.0025\"}"), "0");
    EXPECT_EQ(value("firstcome_order_durable_seconds_bucket{le=\"0.005\"}"), "2") << "4 ms";
    EXPECT_EQ(value("firstcome_order_durable_seconds_bucket{le=\"+Inf\"}"), "2");
    EXPECT_EQ(value("firstcome_commit_seconds_count"), "1") << "refusals touch no disk";
    EXPECT_EQ(value("firstcome_commit_seconds_sum"), "0.003");
    EXPECT_EQ(value("firstcome_lane_batch_size_count"), "2");
    EXPECT_EQ(value("firstcome_lane_batch_size_sum"), "4");
    EXPECT_EQ(value("firstcome_lane_batch_size_bucket{le=\"1\"}"), "1") << "le: or equal";
    EXPECT_EQ(value("firstcome_lane_batch_size_bucket{le=\"2\"}"), "1");
    EXPECT_EQ(value("firstcome_lane_batch_size_bucket{le=\"4\"}"), "2");
}

TEST_F(MetricsTest, CountsNoDecisionWhereThereWasNone) {
    fail(ports::LedgerError::unavailable, 5);
    EXPECT_EQ(value("firstcome_order_decision_seconds_count"), "0");
    EXPECT_EQ(value("firstcome_commit_seconds_count"), "0");
    EXPECT_EQ(value("firstcome_lane_batch_size_sum"), "5");
}

TEST_F(MetricsTest, TellsTheLastSecondsToTheStatsHandler) {
    place({accepted, accepted, replayed});
    place({accepted}, 1);
    const auto figures = metrics_.recent(clock_.now + 100ms);
    EXPECT_EQ(figures.accepted_per_second_1s, 3);
    EXPECT_GE(*figures.p50, 4ms);
    EXPECT_LT(*figures.p50, 5ms);
}

domain::StockFigures figures(const char* item, domain::Units remaining, domain::Units sold) {
    domain::StockFigures out;
    out.item = *domain::ItemId::from(item);
    out.initial = 80;
    out.restocked = 20;
    out.remaining = remaining;
    out.sold = sold;
    return out;
}

TEST_F(MetricsTest, ShowsTheStockOfEachItem) {
    metrics_.attach({.stock = [] {
        return std::vector{figures("a", 25, 75), figures("b", 100, 2), domain::StockFigures{}};
    }});
    EXPECT_EQ(value("firstcome_stock_units{item=\"a\",state=\"initial\"}"), "80");
    EXPECT_EQ(value("firstcome_stock_units{item=\"a\",state=\"restocked\"}"), "20");
    EXPECT_EQ(value("firstcome_stock_units{item=\"a\",state=\"remaining\"}"), "25");
    EXPECT_EQ(value("firstcome_stock_units{item=\"a\",state=\"sold\"}"), "75");
    EXPECT_EQ(value("firstcome_stock_units{item=\"a\",state=\"compensating\"}"), "0");
    EXPECT_EQ(value("firstcome_stock_ratio{item=\"a\"}"), "0.25");
    EXPECT_EQ(value("firstcome_stock_ratio{item=\"\"}"), "0") << "nothing of nothing";
    EXPECT_EQ(value("firstcome_conservation_drift_units"), "2") << "b sold two too many";
}

TEST_F(MetricsTest, LetsAThousandItemsHaveSeries) {
    metrics_.attach({.stock = [] {
        std::vector<domain::StockFigures> items;
        for (int at = 0; at < 1003; ++at) {
            items.push_back(figures(("i" + std::to_string(at)).c_str(), 50, at < 1002 ? 50 : 51));
        }
        return items;
    }});
    EXPECT_EQ(value("firstcome_stock_ratio{item=\"i999\"}"), "0.5");
    EXPECT_EQ(value("firstcome_stock_ratio{item=\"i1000\"}"), "");
    EXPECT_EQ(value("firstcome_stock_items_unlisted"), "3");
    EXPECT_EQ(value("firstcome_conservation_drift_units"), "1") << "an unlisted item counts too";
}

TEST_F(MetricsTest, AddsWhatTwoStoresDifferBy) {
    metrics_.attach(
        {.stock = [] { return std::vector{figures("b", 100, 2)}; },
         .drift_between_stores = [] { return domain::Units{-3}; }}
    );
    EXPECT_EQ(value("firstcome_conservation_drift_units"), "5") << "2 too many sold, and 3 apart";
}

// Six series an item and nothing else grows: the text's size is what a scrape costs.
TEST_F(MetricsTest, StaysBoundedHoweverManyItemsThereAre) {
    const auto size_with = [this](int count) {
        metrics_.attach({.stock = [count] {
            std::vector<domain::StockFigures> items;
            for (int at = 0; at < count; ++at) {
                const std::string item = "item-with-a-name-" + std::to_string(100'000 + at);
                items.push_back(figures(item.c_str(), 50, 50));
            }
            return items;
        }});
        return metrics_.scrape().size();
    };
    const std::size_t with_a_thousand = size_with(1000);
    EXPECT_LT(with_a_thousand, 600'000U);
    EXPECT_LT(size_with(50'000), with_a_thousand + 100);
}

TEST_F(MetricsTest, HasTheFamiliesOfDeliveryFromTheStart) {
    for (const char* series :
         {"firstcome_outbox_pending",
          "firstcome_outbox_oldest_age_seconds",
          "firstcome_dlq_depth",
          "firstcome_dlq_oldest_age_seconds",
          R"(firstcome_event_delay_seconds_count{stage="orders"})",
          R"(firstcome_relay_delivered_total{stage="webhook"})"}) {
        EXPECT_EQ(value(series), "0") << series;
    }
}

TEST_F(MetricsTest, TakesWhatRelaysAndTheLimiterTell) {
    domain::Event event;
    event.occurred_at = base::WallTime{1s};
    metrics_.events_delivered("webhook", {&event, 1}, base::WallTime{3s});
    metrics_.attach(
        {.backlog =
             [] {
                 ports::Backlog backlog;
                 backlog.dead = 4;
                 return backlog;
             },
         .relays = [] { return std::vector{RelayFigures{.stage = "webhook", .delivered = 5}}; },
         .rate_limits =
             [] {
                 return std::vector{
                     RateLimitCount{.policy = "ip", .decision = "allowed", .count = 6}};
             }}
    );
    EXPECT_EQ(value(R"(firstcome_event_delay_seconds_sum{stage="webhook"})"), "2");
    EXPECT_EQ(value("firstcome_dlq_depth"), "4");
    EXPECT_EQ(value(R"(firstcome_relay_delivered_total{stage="webhook"})"), "5");
    EXPECT_EQ(value(R"(firstcome_ratelimit_total{policy="ip",decision="allowed"})"), "6");
}

TEST_F(MetricsTest, LeavesOutWhatNobodyTells) {
    EXPECT_THAT(metrics_.scrape(), Not(HasSubstr("firstcome_stock_")));
    EXPECT_THAT(metrics_.scrape(), Not(HasSubstr("http_server_requests")));
}

TEST_F(MetricsTest, ShowsHttpLikeAnActuator) {
    metrics_.attach({
        .queue_depths =
            [] {
                return std::vector<std::size_t>{3, 0};
            },
        .orders_shed = [] { return std::uint64_t{9}; },
        .http =
            [] {
                return HttpStats{
                    .bounds_seconds = {0.001, 0.01},
                    .requests =
                        {{.method = "POST",
                          .route = "/api/v1/orders",
                          .status = 202,
                          .sum_seconds = 0.5,
                          .buckets = {1, 2, 3}},
                         {.method = "GET",
                          .route = "UNKNOWN",
                          .status = 404,
                          .sum_seconds = 0.25,
                          .buckets = {0, 0, 1}}},
                    .connections_open = 4,
                    .connections_total = 5,
                    .connections_refused_total = 1,
                };
            },
    });
    const std::string labels =
        R"(method="POST",uri="/api/v1/orders",status="202",outcome="SUCCESS")";
    const std::string family = "http_server_requests_seconds";
    EXPECT_EQ(value(family + "_count{" + labels + "}"), "6");
    EXPECT_EQ(value(family + "_sum{" + labels + "}"), "0.5");
    EXPECT_EQ(value(family + "_bucket{" + labels + ",le=\"0.001\"}"), "1");
    EXPECT_EQ(value(family + "_bucket{" + labels + ",le=\"0.01\"}"), "3") << "cumulative";
    EXPECT_EQ(value(family + "_bucket{" + labels + ",le=\"+Inf\"}"), "6");
    EXPECT_EQ(
        value(family + R"(_count{method="GET",uri="UNKNOWN",status="404",outcome="CLIENT_ERROR"})"),
        "1"
    );
    EXPECT_EQ(value("firstcome_http_connections"), "4");
    EXPECT_EQ(value("firstcome_http_connections_accepted_total"), "5");
    EXPECT_EQ(value("firstcome_http_connections_refused_total"), "1");
    EXPECT_EQ(value("firstcome_lane_queue_depth{lane=\"0\"}"), "3");
    EXPECT_EQ(value("firstcome_orders_shed_total"), "9");
}

TEST_F(MetricsTest, TellsOfItsOwnProcess) {
    const double pages = std::stod(value("process_resident_memory_bytes"));
    EXPECT_GT(pages, 1e6);
    EXPECT_LT(pages, 1e11);
    EXPECT_GE(std::stod(value("process_threads")), 1);
    EXPECT_GE(std::stod(value("process_max_fds")), 3);
    EXPECT_GT(std::stod(value("process_start_time_seconds")), 1.6e9) << "after 2020";
    EXPECT_GE(std::stod(value("process_cpu_seconds_total")), 0);
    const double before = std::stod(value("process_open_fds"));
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    EXPECT_EQ(std::stod(value("process_open_fds")), before + 2);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TEST_F(MetricsTest, CanBeReadWhileLanesCount) {
    std::thread lanes[2];
    for (unsigned lane = 0; lane < 2; ++lane) {
        lanes[lane] = std::thread{[this, lane] {
            for (int at = 0; at < 2000; ++at)
                place({accepted, rejected(Rejection::sold_out)}, lane);
        }};
    }
    for (int at = 0; at < 20; ++at) {
        const auto counts = metrics_.outcomes();
        EXPECT_LE(counts[0].count, 4000U);
        EXPECT_THAT(metrics_.scrape(), HasSubstr("firstcome_orders_total"));
    }
    for (auto& lane : lanes) lane.join();
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"accepted\"}"), "4000");
    EXPECT_EQ(value("firstcome_orders_total{outcome=\"sold_out\"}"), "4000");
}

TEST_F(MetricsTest, CountsBrokenPromises) {
    metrics_.invariant_violated();
    EXPECT_EQ(value("firstcome_invariant_violations_total"), "1");
}

}  // namespace
}  // namespace firstcome::telemetry
