// tests/adapters/guarded/breaker_board_test.cpp - the figures an operator sees, and what turning
// does
#include "adapters/guarded/breaker_board.hpp"

#include "telemetry/log.hpp"
#include "tests/adapters/guarded/world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace firstcome::test {
namespace {

using ports::BreakerCommand;
using resilience::BreakerState;
using testing::AllOf;
using testing::HasSubstr;

class BreakerBoard : public testing::Test {
protected:
    BreakerBoard() { breakers_.add("postgres", {}, some_chance()); }

    void fail(int times) {
        for (int at = 0; at < times; ++at) {
            redis_.try_acquire(clock_.monotonic())->fail(clock_.monotonic() + 3ms);
        }
    }

    ManualClock clock_;
    resilience::CircuitBreakers breakers_{guarded::log_state_change};
    resilience::CircuitBreaker& redis_{breakers_.add("redis", {}, some_chance())};
    guarded::BreakerBoard board_{breakers_, clock_};
};

TEST_F(BreakerBoard, ShowsEachBreaker) {
    redis_.try_acquire(clock_.monotonic())->succeed(clock_.monotonic() + 101ms);
    redis_.try_acquire(clock_.monotonic())->cancel(clock_.monotonic() + 1ms);
    fail(19);
    EXPECT_FALSE(redis_.try_acquire(clock_.monotonic()));
    const auto all = board_.breakers();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[1].name, "postgres");
    EXPECT_EQ(all[1].state, "CLOSED");
    EXPECT_EQ(all[1].failure_rate, -1);
    const ports::BreakerFigures& redis = all[0];
    EXPECT_EQ(redis.name, "redis");
    EXPECT_EQ(redis.state, "OPEN");
    EXPECT_EQ(redis.failure_rate, 95);
    EXPECT_EQ(redis.slow_call_rate, 5);
    EXPECT_EQ(redis.buffered_calls, 20U);
    EXPECT_EQ(redis.failed_calls, 19U);
    EXPECT_EQ(redis.slow_calls, 1U);
    EXPECT_EQ(redis.slow_failed_calls, 0U);
    EXPECT_EQ(redis.not_permitted_calls, 1U);
    EXPECT_EQ(redis.not_permitted_total, 1U);
    EXPECT_EQ(redis.successful.count, 1U);
    EXPECT_EQ(redis.successful.took, 101ms);
    EXPECT_EQ(redis.failed.count, 19U);
    EXPECT_EQ(redis.failed.took, 57ms);
    EXPECT_EQ(redis.ignored.count, 1U);
    clock_.pass(2400ms);
    EXPECT_EQ(board_.breakers()[0].state, "HALF_OPEN") << "by itself, for whoever looks";
}

TEST_F(BreakerBoard, SpellsEveryStateAsItsNumberSays) {
    const std::pair<BreakerState, std::string_view> rows[] = {
        {BreakerState::closed, "CLOSED"},
        {BreakerState::open, "OPEN"},
        {BreakerState::half_open, "HALF_OPEN"},
        {BreakerState::disabled, "DISABLED"},
        {BreakerState::forced_open, "FORCED_OPEN"},
        {BreakerState::metrics_only, "METRICS_ONLY"},
    };
    for (std::size_t number = 0; number < std::size(rows); ++number) {
        const auto& [state, spelled] = rows[number];
        EXPECT_EQ(std::to_underlying(state), number);
        redis_.turn_to(state, clock_.monotonic());
        EXPECT_EQ(board_.breakers()[0].state, spelled);
        EXPECT_EQ(ports::breaker_states[number], spelled);
    }
}

TEST_F(BreakerBoard, OpenedByHandItStaysOpenUntilItIsClosed) {
    const auto opened = board_.turn("redis", BreakerCommand::open);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->before, "CLOSED");
    EXPECT_EQ(opened->after.state, "FORCED_OPEN");
    clock_.pass(24h);
    EXPECT_FALSE(redis_.try_acquire(clock_.monotonic()));
    const auto closed = board_.turn("redis", BreakerCommand::close);
    EXPECT_EQ(closed->before, "FORCED_OPEN");
    EXPECT_EQ(closed->after.state, "CLOSED");
    fail(19);
    EXPECT_EQ(board_.turn("redis", BreakerCommand::close)->after.buffered_calls, 19U);
    EXPECT_EQ(board_.turn("redis", BreakerCommand::reset)->after.buffered_calls, 0U);
    EXPECT_FALSE(board_.turn("nobody", BreakerCommand::reset)) << "no such breaker";
}

TEST_F(BreakerBoard, SpellsEveryCommandAsItsRoute) {
    EXPECT_EQ(name(BreakerCommand::open), "open");
    EXPECT_EQ(name(BreakerCommand::close), "close");
    EXPECT_EQ(name(BreakerCommand::reset), "reset");
}

TEST_F(BreakerBoard, ChangesAreInTheLogWithWhatLedToThem) {
    std::vector<std::string> lines;
    log::Options options;
    options.format = log::Format::json;
    options.write = [&](std::string_view line) { lines.emplace_back(line); };
    log::start(std::move(options));
    fail(20);
    log::stop();
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_THAT(
        lines[0],
        AllOf(
            HasSubstr(R"("level":"warn")"),
            HasSubstr(R"("breaker":"redis","before":"CLOSED","after":"OPEN","failure_rate":100)"),
            HasSubstr(R"("buffered_calls":20)")
        )
    );
}

}  // namespace
}  // namespace firstcome::test
