// tests/resilience/circuit_breaker_test.cpp - what leads from one state to another, as a table
#include "resilience/circuit_breaker.hpp"

#include "resilience/circuit_breakers.hpp"
#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <limits>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::resilience {
namespace {

using namespace std::chrono_literals;
using enum BreakerState;
using Permit = CircuitBreaker::Permit;

/// The same word each time: half of the range makes waits neither longer nor shorter.
class SameWord final : public base::Entropy {
public:
    explicit SameWord(std::uint64_t word) : word_(word) {}

    [[nodiscard]] std::uint64_t next() override { return word_; }

private:
    std::uint64_t word_;
};

constexpr std::uint64_t middle = std::uint64_t{1} << 63U;

/// A breaker that is spoken to in words: `fail*20 wait*2000 ok` - twenty failed calls, two seconds,
/// and a call that went well.
class Spoken {
public:
    explicit Spoken(const BreakerOptions& options = {}, std::uint64_t chance = middle)
        : breaker(
              "test",
              options,
              std::make_unique<SameWord>(chance),
              [this](const StateChange& change) { changes.emplace_back(change.after); }
          ) {}

    void hear(std::string_view words) {
        std::istringstream in{std::string{words}};
        for (std::string word; in >> word;) {
            const auto star = word.find('*');
            const int times = star == std::string::npos ? 1 : std::stoi(word.substr(star + 1));
            hear(word.substr(0, star), times);
        }
    }

    BreakerFigures figures() { return breaker.figures(clock.monotonic()); }

    BreakerState state() { return figures().state; }

    test::ManualClock clock;
    std::vector<BreakerState> changes;
    CircuitBreaker breaker;
    std::vector<Permit> held;

private:
    void hear(const std::string& verb, int times) {
        if (verb == "wait") return clock.pass(std::chrono::milliseconds{times});
        for (int time = 0; time < times; ++time) {
            if (!steered(verb) && !told_of_held(verb)) call(verb);
        }
    }

    bool steered(const std::string& verb) {
        static const std::map<std::string, BreakerState> states{
            {"close", closed},
            {"open", open},
            {"half", half_open},
            {"disable", disabled},
            {"force", forced_open},
            {"metrics", metrics_only}};
        if (verb == "reset") return breaker.reset(clock.monotonic()), true;
        const auto found = states.find(verb);
        if (found != states.end()) breaker.turn_to(found->second, clock.monotonic());
        return found != states.end();
    }

    bool told_of_held(const std::string& verb) {
        if (!verb.starts_with("held_")) return false;
        EXPECT_FALSE(held.empty());
        if (held.empty()) return true;
        Permit permit = std::move(held.back());
        held.pop_back();
        if (verb == "held_ok") permit.succeed(clock.monotonic());
        if (verb == "held_fail") permit.fail(clock.monotonic());
        if (verb == "held_cancel") permit.cancel(clock.monotonic());
        return true;  // held_drop: goes away untold
    }

    void call(const std::string& verb) {
        auto permit = breaker.try_acquire(clock.monotonic());
        EXPECT_EQ(permit.has_value(), verb != "refused") << verb;
        if (!permit) return;
        if (verb == "edge") clock.pass(100ms);
        if (verb.starts_with("slow")) clock.pass(101ms);
        const auto now = clock.monotonic();
        if (verb == "ok" || verb == "slow" || verb == "edge") permit->succeed(now);
        if (verb == "fail" || verb == "slowfail") permit->fail(now);
        if (verb == "cancel") permit->cancel(now);
        if (verb == "take") held.push_back(std::move(*permit));
    }
};

struct Row {
    std::string_view words;
    BreakerState expect;
    std::string_view why;
};

void expect_rows(std::span<const Row> rows, const BreakerOptions& options = {}) {
    for (const Row& row : rows) {
        SCOPED_TRACE(row.words);
        Spoken spoken{options};
        spoken.hear(row.words);
        EXPECT_EQ(std::to_underlying(spoken.state()), std::to_underlying(row.expect)) << row.why;
    }
}

TEST(CircuitBreaker, OpensWhenTooManyCallsFailOrAreSlow) {
    const Row rows[] = {
        {"", closed, "where it begins"},
        {"fail*19", closed, "too few calls to know a rate"},
        {"fail*20", open, "all of the least number failed"},
        {"ok*10 fail*10", open, "half is too many"},
        {"ok*11 fail*9", closed, "45 percent"},
        {"ok*51 fail*49", closed, "49 percent of a full window"},
        {"ok*51 fail*50", open, "the oldest success has left the window"},
        {"ok*20 fail*19 ok*100 fail*49", closed, "so have the oldest failures"},
        {"fail*19 ok", open, "a success, too, may be the call that makes the rate known"},
        {"slow*10 ok*10", open, "slow answers are as bad as none"},
        {"ok*11 slow*9", closed, "45 percent are slow"},
        {"ok*11 slowfail*5 fail*4", closed, "a slow failure counts once in each rate"},
        {"ok*10 slowfail*5 fail*5", open, "and does count in both"},
        {"fail*9 slow*9 ok*2", closed, "the rates are not added up"},
        {"edge*20", closed, "slow is longer than the threshold, not as long"},
        {"cancel*50 fail*19", closed, "a cancelled call was none"},
        {"drop*50 fail*19", closed, "nor was one that went away untold"},
        {"take*20 held_fail*20", open, "calls at the same time count each"},
        {"take fail*20 held_ok", open, "a call from before tells nothing now"},
    };
    expect_rows(rows);
}

TEST(CircuitBreaker, StaysOpenForItsTimeAndThenLetsTry) {
    const Row rows[] = {
        {"fail*20 refused*5", open, "nobody gets through"},
        {"fail*20 wait*1999 refused", open, "not yet"},
        {"fail*20 wait*2000", half_open, "by itself, with the time"},
        {"fail*20 wait*2000 ok", half_open, "and the next one may try"},
        {"fail*20 wait*86400000", half_open, "waits for whoever comes"},
        {"take fail*20 wait*1000 held_fail wait*1000", half_open, "a late failure adds no wait"},
        {"fail*20 wait*1500 open wait*500", half_open, "opening what is open changes nothing"},
        {"fail*20 wait*2000 fail*10 wait*3999 refused", open, "the second wait is longer"},
        {"fail*20 wait*2000 fail*10 wait*4000", half_open, "twice as long"},
        {"fail*20 wait*2000 fail*10 wait*4000 fail*10 wait*7999", open, "four times"},
        {"fail*20 wait*2000 fail*10 wait*4000 fail*10 wait*8000 fail*10 wait*16000 fail*10 "
         "wait*29999",
         open,
         "not as short as the one before"},
        {"fail*20 wait*2000 fail*10 wait*4000 fail*10 wait*8000 fail*10 wait*16000 fail*10 "
         "wait*30000",
         half_open,
         "30 s, not 32"},
        {"fail*20 wait*2000 fail*10 wait*4000 fail*10 wait*8000 fail*10 wait*16000 fail*10 "
         "wait*30000 fail*10 wait*30000",
         half_open,
         "and never longer"},
        {"fail*20 wait*2000 fail*10 wait*4000 ok*10 fail*20 wait*2000",
         half_open,
         "once it was closed the waits begin anew"},
    };
    expect_rows(rows);
}

TEST(CircuitBreaker, HalfOpenDecidesByTenCallsOrByWhatFiveSecondsTold) {
    const Row rows[] = {
        {"ok*9", half_open, "nine of ten tell nothing yet"},
        {"ok*10", closed, "all well"},
        {"fail*9", half_open, "nor do nine failures"},
        {"fail*10", open, "still down"},
        {"ok*5 fail*5", open, "half is too many"},
        {"fail*4 ok*6", closed, "less than half failed"},
        {"ok*5 slow*5", open, "it answers, but too slowly"},
        {"slow*4 ok*6", closed, "less than half were slow"},
        {"take*10 refused*3", half_open, "ten may try, no more"},
        {"take*10 held_cancel ok refused", half_open, "a cancelled permit goes to one other call"},
        {"take*10 held_drop*10 take*10 refused", half_open, "and so does one that went away"},
        {"take*10 held_ok*10", closed, "ten at a time"},
        {"take*10 held_ok*9 held_fail", closed, "one of ten failed"},
        {"take*10 wait*4999 refused", half_open, "they still have time"},
        {"take*10 wait*5000 refused", open, "nobody answered"},
        {"take*10 wait*5000 wait*3999 refused", open, "which is one more time in a row"},
        {"take*10 wait*5000 wait*4000", half_open, "so the wait is 4 s, from the end of the 5"},
        {"take*10 wait*9000", half_open, "the same when nobody looked in between"},
        {"ok*3 wait*5000", closed, "few calls, all well: it would never close otherwise"},
        {"ok*5 fail*4 wait*5000", closed, "less than half of the few failed"},
        {"ok*4 fail*4 wait*5000", open, "half of the few failed"},
        {"ok*4 slow*4 wait*5000", open, "half of the few were slow"},
        {"ok*3 take*3 wait*5000", open, "no answer is a failure"},
        {"ok*4 take*3 wait*5000", closed, "three of seven did not answer"},
        {"wait*3600000", half_open, "nobody tried: nothing is known"},
        {"wait*3600000 take wait*4999", half_open, "the time begins with the first to try"},
        {"take held_cancel wait*6000", half_open, "who gave the permit back did not try"},
        {"take wait*5000 held_ok refused", open, "an answer after the time is too late"},
        {"ok*10 fail*19", closed, "closed begins with an empty window"},
        {"ok*10 fail*20", open, "and opens again like the first time"},
        {"take close held_fail fail*19", closed, "a trial counts no more once it is closed"},
        {"take*10 close held_cancel*10 ok*50", closed, "nor does what it gives back"},
        {"open wait*3999 refused", open, "opened by hand: in a row with the time before"},
        {"open wait*4000", half_open, "and by itself half-open again"},
        {"force wait*60000 refused", forced_open, "by hand, and stays"},
        {"disable fail*30", disabled, "by hand"},
        {"metrics fail*30", metrics_only, "by hand"},
        {"close", closed, "by hand"},
        {"reset", closed, "by hand"},
        {"ok*9 half ok", closed, "it is half-open already: the nine still count"},
    };
    for (const Row& row : rows) {
        const std::string words = "fail*20 wait*2000 " + std::string{row.words};
        const Row whole[] = {{words, row.expect, row.why}};
        expect_rows(whole);
    }
    const Row from_before[] = {
        {"take fail*20 wait*2000 held_fail ok*10", closed, "a failure from before the trial"},
        {"take*5 fail*20 wait*2000 held_ok*5 ok*9", half_open, "successes from before it"},
        {"take fail*20 wait*2000 held_cancel take*10 refused",
         half_open,
         "a permit from before it does not make eleven"},
    };
    expect_rows(from_before);
}

TEST(CircuitBreaker, GoesWhereItIsTurned) {
    const Row rows[] = {
        {"open refused", open, "closed -> open"},
        {"open wait*2000", half_open, "as if it had opened itself"},
        {"half take*10 refused", half_open, "closed -> half-open"},
        {"force refused*3 wait*86400000 refused", forced_open, "no time ends it"},
        {"disable fail*200", disabled, "lets all through, whatever happens"},
        {"metrics fail*200", metrics_only, "the same, but counts"},
        {"metrics slow*30", metrics_only, "slow ones too"},
        {"fail*19 close fail", open, "closing what is closed forgets nothing"},
        {"fail*19 reset fail", closed, "a reset does"},
        {"fail*20 close ok", closed, "open -> closed"},
        {"fail*20 close fail*19", closed, "with an empty window"},
        {"fail*20 reset ok", closed, "open -> closed, by reset"},
        {"fail*20 half ok*10", closed, "open -> half-open, before its time"},
        {"fail*20 disable ok", disabled, "open -> disabled"},
        {"fail*20 force wait*60000 refused", forced_open, "open -> forced open"},
        {"fail*20 metrics ok", metrics_only, "open -> metrics only"},
        {"force close ok", closed, "forced open -> closed"},
        {"force reset fail*19", closed, "forced open -> closed, by reset"},
        {"force open wait*2000", half_open, "forced open -> open, which ends by itself"},
        {"force half take*10 refused", half_open, "forced open -> half-open"},
        {"force disable ok", disabled, "forced open -> disabled"},
        {"force metrics ok", metrics_only, "forced open -> metrics only"},
        {"disable fail*200 close fail*19", closed, "what nobody counted is not there later"},
        {"disable take close held_fail fail*19", closed, "nor what began then"},
        {"disable open refused", open, "disabled -> open"},
        {"disable force refused", forced_open, "disabled -> forced open"},
        {"disable metrics ok", metrics_only, "disabled -> metrics only"},
        {"metrics fail*200 close fail*19", closed, "metrics only -> closed, empty"},
        {"metrics fail*30 open refused", open, "metrics only -> open"},
        {"metrics disable ok", disabled, "metrics only -> disabled"},
        {"metrics wait*86400000", metrics_only, "no time ends it"},
    };
    expect_rows(rows);
}

TEST(CircuitBreaker, ASlowFailureCountsForEachWhoWaited) {
    const struct {
        std::chrono::milliseconds took;
        std::uint32_t callers;
        const char* before;
        BreakerState expect;
        const char* why;
    } rows[] = {
        {500ms, 49, "ok*100", closed, "49 of the last 100"},
        {500ms, 50, "ok*100", open, "half of them waited in vain"},
        {500ms, 1024, "ok*100", open, "however many"},
        {100ms, 1024, "ok*100", closed, "failed soon, so nobody was held up: one call"},
        {500ms, 19, "", closed, "too few to tell"},
        {500ms, 20, "", open, "enough to tell"},
        {500ms, 9, "half", half_open, "a trial wants ten"},
        {500ms, 10, "half", open, "a trial is over when ten waited in vain"},
    };

    for (const auto& row : rows) {
        Spoken spoken;
        spoken.hear(row.before);
        auto permit = spoken.breaker.try_acquire(spoken.clock.monotonic());
        ASSERT_TRUE(permit) << row.why;
        spoken.clock.pass(row.took);
        permit->fail(spoken.clock.monotonic(), row.callers);
        EXPECT_EQ(spoken.state(), row.expect) << row.why;
        EXPECT_EQ(spoken.figures().failed.count, 1U) << "one call was made";
    }
    Spoken late;
    late.hear("half");
    auto permit = late.breaker.try_acquire(late.clock.monotonic());
    late.clock.pass(500ms);
    permit->fail(late.clock.monotonic(), 5);
    late.hear("wait*5000");
    EXPECT_EQ(late.state(), open) << "the time of a trial is over, and more waited than called";
}

TEST(CircuitBreaker, ATimeWindowForgetsBySeconds) {
    const Row rows[] = {
        {"fail*10 wait*9000 fail*10", open, "the tenth second is still in"},
        {"fail*10 wait*10000 fail*10", closed, "the eleventh is not"},
        {"fail*19 wait*60000 fail*19", closed, "nor is anything a minute ago"},
        {"ok*100 wait*10000 fail*20", open, "old successes hide nothing"},
        {"ok*1000 fail*999", closed, "all calls of the time, not the last ten"},
        {"ok*1000 fail*1000", open, "half of them"},
        {"fail*10 wait*500 fail*10", open, "within one second"},
    };
    expect_rows(
        rows, {.sliding_window_type = CallWindow::Kind::seconds, .sliding_window_size = 10}
    );
}

TEST(CircuitBreaker, ASmallWindowNeedsNoMoreCallsThanItHolds) {
    const Row rows[] = {
        {"fail*9", closed, "nine of ten"},
        {"fail*10", open, "full"},
        {"ok*6 fail*4 ok*6 fail*4", closed, "40 percent at any time"},
    };
    expect_rows(rows, {.sliding_window_size = 10});
    const Row one_may_try[] = {
        {"fail*20 wait*2000 ok", closed, "one call decides"},
        {"fail*20 wait*2000 fail", open, "either way"},
        {"fail*20 wait*2000 take refused", half_open, "one at a time"},
    };
    expect_rows(one_may_try, {.permitted_number_of_calls_in_half_open_state = 1});
    const Row only_all_may_be_slow[] = {
        {"ok*20 slow*20", closed, "half are slow"},
        {"fail*20 wait*2000 ok take wait*5000", open, "what does not answer fails, too"},
    };
    expect_rows(only_all_may_be_slow, {.slow_call_rate_threshold = 100});
}

TEST(CircuitBreaker, SpreadsItsWaitsByAFifthEachWay) {
    constexpr auto highest = std::numeric_limits<std::uint64_t>::max();
    const std::string five_times =
        "fail*20 wait*3000 fail*10 wait*5000 fail*10 wait*10000 fail*10 wait*20000 fail*10 ";

    const struct {
        std::uint64_t chance;
        std::string words;
        BreakerState expect;
    } rows[] = {
        {0, "fail*20 wait*1599", open},
        {0, "fail*20 wait*1600", half_open},
        {highest, "fail*20 wait*2399", open},
        {highest, "fail*20 wait*2400", half_open},
        {0, five_times + "wait*23999", open},
        {0, five_times + "wait*24000", half_open},
        {highest, five_times + "wait*35999", open},
        {highest, five_times + "wait*36000", half_open},
    };

    for (const auto& row : rows) {
        Spoken spoken{{}, row.chance};
        spoken.hear(row.words);
        EXPECT_EQ(spoken.state(), row.expect) << row.words << " by chance " << row.chance;
    }
}

TEST(CircuitBreaker, ShowsWhatItsWindowHolds) {
    Spoken spoken;
    spoken.hear("ok*12 fail*3 slow*2 slowfail*2");
    EXPECT_EQ(spoken.figures().failure_rate, -1) << "19 calls: not known yet";
    EXPECT_EQ(spoken.figures().slow_call_rate, -1);
    spoken.hear("ok cancel*4");
    const BreakerFigures figures = spoken.figures();
    EXPECT_EQ(figures.buffered.calls, 20U);
    EXPECT_EQ(figures.buffered.failed, 5U);
    EXPECT_EQ(figures.buffered.slow, 4U);
    EXPECT_EQ(figures.buffered.slow_failed, 2U);
    EXPECT_EQ(figures.failure_rate, 25);
    EXPECT_EQ(figures.slow_call_rate, 20);
    EXPECT_EQ(figures.successful.count, 15U);
    EXPECT_EQ(figures.successful.took, 202ms);
    EXPECT_EQ(figures.failed.count, 5U);
    EXPECT_EQ(figures.failed.took, 202ms);
    EXPECT_EQ(figures.ignored.count, 4U);
}

TEST(CircuitBreaker, ShowsWhyItOpenedWhileItIsOpen) {
    Spoken spoken;
    spoken.hear("take ok*8 fail*12 refused*3 held_fail");
    EXPECT_EQ(spoken.figures().failure_rate, 60) << "the call from before is not among them";
    EXPECT_EQ(spoken.figures().buffered.calls, 20U);
    EXPECT_EQ(spoken.figures().failed.count, 13U) << "but it was made, and failed";
    EXPECT_EQ(spoken.figures().not_permitted_in_state, 3U);
    spoken.hear("wait*2000");
    EXPECT_EQ(spoken.figures().buffered.calls, 0U) << "half-open has a window of its own";
    EXPECT_EQ(spoken.figures().failure_rate, -1);
    EXPECT_EQ(spoken.figures().not_permitted_in_state, 0U);
    spoken.hear("take*10 refused");
    EXPECT_EQ(spoken.figures().not_permitted_in_state, 1U);
    EXPECT_EQ(spoken.figures().not_permitted_total, 4U) << "this one never goes back";
}

TEST(CircuitBreaker, TellsEachChangeOnceInOrder) {
    Spoken spoken;
    spoken.hear("fail*20 refused wait*2000 take*10 wait*20000 ok*10 close force force reset reset");
    const std::vector<BreakerState> expected{
        open, half_open, open, half_open, closed, forced_open, closed};
    EXPECT_EQ(spoken.changes, expected);
}

TEST(CircuitBreaker, TurningTellsWhereItWas) {
    Spoken spoken;
    const auto now = spoken.clock.monotonic();
    EXPECT_EQ(spoken.breaker.turn_to(forced_open, now), closed);
    EXPECT_EQ(spoken.breaker.turn_to(forced_open, now), forced_open);
    EXPECT_EQ(spoken.breaker.reset(now), forced_open);
    EXPECT_EQ(spoken.breaker.reset(now), closed);
}

TEST(CircuitBreaker, SixtyFourThreadsNeverGetMorePermitsThanHalfOpenHas) {
    constexpr int threads = 64;
    constexpr int rounds = 50;
    Spoken spoken;
    CircuitBreaker& breaker = spoken.breaker;
    const auto now = spoken.clock.monotonic();
    std::atomic<int> got{0};
    std::atomic<int> out_now{0};
    std::atomic<int> most{0};
    std::vector<int> got_each_round;
    const auto next_round = [&]() noexcept {
        got_each_round.push_back(got.exchange(0));
        breaker.turn_to(closed, now);
        breaker.turn_to(half_open, now);
    };
    breaker.turn_to(half_open, now);
    std::barrier all{threads};
    std::barrier round_over{threads, next_round};
    const auto work = [&](int thread) {
        for (int round = 0; round < rounds; ++round) {
            all.arrive_and_wait();
            // Most give theirs back at once, so that permits go through many hands.
            for (int attempt = 0; attempt < 20; ++attempt) {
                auto permit = breaker.try_acquire(now);
                if (!permit) continue;
                const int out = out_now.fetch_add(1) + 1;
                for (int seen = most; out > seen && !most.compare_exchange_weak(seen, out);) {
                }
                out_now.fetch_sub(1);
                if (thread % 2 == 0) permit->cancel(now);
            }
            all.arrive_and_wait();
            auto permit = breaker.try_acquire(now);
            if (permit) got.fetch_add(1);
            round_over.arrive_and_wait();
        }
    };
    std::vector<std::thread> running;
    for (int thread = 0; thread < threads; ++thread) running.emplace_back(work, thread);
    for (std::thread& thread : running) thread.join();
    EXPECT_LE(most, 10);
    EXPECT_EQ(got_each_round, std::vector<int>(rounds, 10)) << "none too many, and none lost";
}

TEST(CircuitBreaker, CountsEveryCallOfManyThreads) {
    Spoken spoken;
    spoken.hear("metrics");
    std::vector<std::thread> running;
    for (int thread = 0; thread < 16; ++thread) {
        running.emplace_back([&, thread] {
            const auto now = spoken.clock.monotonic();
            for (int call = 0; call < 1000; ++call) {
                auto permit = spoken.breaker.try_acquire(now);
                if (thread % 4 == 0) permit->fail(now + 1ms);
                if (thread % 4 == 1) permit->succeed(now + 2ms);
            }
        });
    }
    for (std::thread& thread : running) thread.join();
    const BreakerFigures figures = spoken.figures();
    EXPECT_EQ(figures.failed.count, 4000U);
    EXPECT_EQ(figures.failed.took, 4s);
    EXPECT_EQ(figures.successful.count, 4000U);
    EXPECT_EQ(figures.ignored.count, 8000U);
    EXPECT_EQ(figures.buffered.calls, 100U);
}

TEST(CircuitBreakers, AreFoundByName) {
    CircuitBreakers breakers;
    CircuitBreaker& redis = breakers.add("redis", {}, std::make_unique<SameWord>(middle));
    breakers.add("postgres", {}, std::make_unique<SameWord>(middle));
    EXPECT_EQ(breakers.find("redis"), &redis);
    EXPECT_EQ(breakers.find("postgres")->name(), "postgres");
    EXPECT_EQ(breakers.find("webhook"), nullptr);
    EXPECT_EQ(breakers.all().size(), 2U);
}

}  // namespace
}  // namespace firstcome::resilience
