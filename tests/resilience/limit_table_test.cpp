// tests/resilience/limit_table_test.cpp - many keys in little memory, and no key gets more for it
#include "resilience/limit_table.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <array>
#include <barrier>
#include <fstream>
#include <map>
#include <memory>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace firstcome::resilience {
namespace {

using namespace std::chrono_literals;
using base::MonotonicTime;
using std::chrono::nanoseconds;

constexpr MonotonicTime start{100h};
constexpr RateLimit five_a_second{.interval = 200ms, .burst = 10};
constexpr std::size_t small = std::size_t{80} * 1024;  // about 4,700 entries

TEST(LimitTable, HoldsEachKeyToItsLimit) {
    LimitTable table{{.memory_max_bytes = small}};
    for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{7}, ~std::uint64_t{0}}) {
        for (int at = 0; at < 10; ++at) {
            EXPECT_TRUE(table.check(key, start, five_a_second).allowed);
        }
        EXPECT_FALSE(table.check(key, start, five_a_second).allowed) << key;
    }
    EXPECT_EQ(table.figures().entries, 3U);
    EXPECT_EQ(table.check(7, start + 200ms, five_a_second).remaining, 0U);
}

TEST(LimitTable, ANewLimitKeepsTheCount) {
    LimitTable table{{.memory_max_bytes = small}};
    for (int at = 0; at < 10; ++at) EXPECT_TRUE(table.check(7, start, five_a_second).allowed);
    const RateLimit wider{.interval = 200ms, .burst = 12};
    EXPECT_EQ(table.check(7, start, wider).remaining, 1U) << "ten of twelve were used";
    const RateLimit narrower{.interval = 200ms, .burst = 5};
    EXPECT_FALSE(table.check(7, start, narrower).allowed);
}

TEST(LimitTable, ALoosenedLimitLetsGoWhomTheOldOneHadLockedOut) {
    LimitTable table{{.memory_max_bytes = small}};
    const RateLimit one_an_hour{.interval = 1h, .burst = 10};
    for (int at = 0; at < 10; ++at) EXPECT_TRUE(table.check(7, start, one_an_hour).allowed);
    EXPECT_EQ(table.check(7, start, one_an_hour).retry_after, 1h);
    EXPECT_FALSE(table.check(7, start, five_a_second).allowed) << "what was used stays used";
    EXPECT_TRUE(table.check(7, start + 200ms, five_a_second).allowed);
    EXPECT_EQ(table.check(7, start + 3s, five_a_second).remaining, 9U);
    EXPECT_EQ(table.check(7, start + 3s, one_an_hour).remaining, 8U) << "and back again";
}

TEST(LimitTable, ALoosenedLimitForgivesADebtOnceAndNotAtEveryCall) {
    LimitTable table{{.memory_max_bytes = small}};
    const RateLimit one_an_hour{.interval = 1h, .burst = 10};
    table.charge({.key = 7, .count = 23}, start, one_an_hour);
    table.charge({.key = 7, .count = 1}, start, five_a_second);
    EXPECT_EQ(table.check(7, start, five_a_second).retry_after, 400ms) << "a burst, and that one";
    table.charge({.key = 7, .count = 100}, start, five_a_second);
    EXPECT_EQ(table.check(7, start, five_a_second).retry_after, 20s + 400ms) << "is to be paid";
}

/// What an endless memory would answer.
class Endless {
public:
    GcraAnswer check(std::uint64_t key, MonotonicTime now, const RateLimit& limit) {
        const GcraAnswer answer = resilience::check(tats_[key], now, limit);
        tats_[key] = answer.tat;
        return answer;
    }

private:
    std::unordered_map<std::uint64_t, MonotonicTime> tats_;
};

TEST(LimitTable, AnswersLikeAnEndlessOneWhileMillionsComeAndGo) {
    LimitTable table{{.memory_max_bytes = small}};
    Endless endless;
    test::SeededEntropy chance{5};
    std::array<std::uint64_t, 500> active{};
    for (auto& key : active) key = chance.next();
    MonotonicTime now = start;
    std::uint64_t refused = 0;
    for (int event = 0; event < 400'000; ++event) {
        now += nanoseconds{chance.next() % 400'000};
        std::uint64_t& key = active[chance.next() % active.size()];
        if (chance.next() % 8 == 0) key = chance.next();  // this one has gone for good
        if (chance.next() % 4 == 0) now += nanoseconds{chance.next() % 40'000};
        const std::uint64_t asked = chance.next() % 2 == 0 ? active[0] : key;
        const GcraAnswer expected = endless.check(asked, now, five_a_second);
        const GcraAnswer answer = table.check(asked, now, five_a_second);
        ASSERT_EQ(answer.allowed, expected.allowed) << "event " << event;
        ASSERT_EQ(answer.remaining, expected.remaining) << "event " << event;
        refused += answer.allowed ? 0 : 1;
    }
    EXPECT_GT(refused, 1000U);
    EXPECT_EQ(table.figures().without_room, 0U);
    EXPECT_LE(table.memory_bytes(), small);
}

/// The times a key was let through, checked against burst + t / interval for every span.
void expect_within(const std::vector<MonotonicTime>& allowed, const RateLimit& limit) {
    for (std::size_t from = 0; from < allowed.size(); ++from) {
        for (std::size_t to = from; to < allowed.size(); ++to) {
            const auto may = limit.burst + (allowed[to] - allowed[from]) / limit.interval;
            ASSERT_LE(static_cast<std::int64_t>(to - from + 1), may);
        }
    }
}

TEST(LimitTable, NoKeyGetsMoreHoweverManyCrowdIn) {
    constexpr std::size_t tiny = 10'240;  // about four entries in each part
    LimitTable table{{.memory_max_bytes = tiny}};
    test::SeededEntropy chance{9};
    std::vector<std::uint64_t> keys;
    for (int at = 0; at < 2000; ++at) keys.push_back(chance.next());
    std::map<std::uint64_t, std::vector<MonotonicTime>> allowed;
    MonotonicTime now = start;
    for (int event = 0; event < 120'000; ++event) {
        // Rushes and calm turn by turn, so that keys gain entries and lose them again.
        const std::uint64_t pace = event / 2000 % 2 == 0 ? 100'000 : 20'000'000;
        now += nanoseconds{chance.next() % pace};
        const bool hot = chance.next() % 4 == 0;
        const std::uint64_t key = keys[chance.next() % (hot ? 5 : keys.size())];
        if (table.check(key, now, five_a_second).allowed) allowed[key].push_back(now);
    }
    EXPECT_GT(table.figures().without_room, 1000U) << "or this test tests nothing";
    EXPECT_GT(allowed.size(), 1900U) << "nobody is locked out for good";
    for (const auto& [key, times] : allowed) expect_within(times, five_a_second);
    EXPECT_LE(table.memory_bytes(), tiny);
}

TEST(LimitTable, AKeyUnderFireIsNotForgottenInAFlood) {
    LimitTable table{{.memory_max_bytes = small}};
    test::SeededEntropy chance{11};
    const std::uint64_t hot = chance.next();
    std::vector<MonotonicTime> allowed;
    MonotonicTime now = start;
    for (int event = 0; event < 500'000; ++event) {
        now += 20us;
        static_cast<void>(table.check(chance.next(), now, five_a_second));
        if (event % 10 == 0 && table.check(hot, now, five_a_second).allowed) {
            allowed.push_back(now);
        }
    }
    expect_within(allowed, five_a_second);
    EXPECT_EQ(allowed.size(), 10U + 49U) << "ten at once, then five a second for ten seconds";
    EXPECT_GT(table.figures().without_room, 0U) << "50,000 new keys a second, room for 4,700";
}

TEST(LimitTable, CountsEveryEventOfManyThreads) {
    constexpr int threads = 16;
    constexpr int times = 5000;
    constexpr RateLimit wide{.interval = 1s, .burst = 1'000'000};
    LimitTable table{{.memory_max_bytes = small}};
    const std::array<std::uint64_t, 2> keys{7, 7 + 64};  // of one part
    std::barrier begin{threads};
    std::vector<std::thread> running;
    for (int thread = 0; thread < threads; ++thread) {
        running.emplace_back([&] {
            begin.arrive_and_wait();
            for (int at = 0; at < times; ++at) {
                for (const std::uint64_t key : keys) {
                    EXPECT_TRUE(table.check(key, start, wide).allowed);
                }
            }
        });
    }
    for (std::thread& thread : running) thread.join();
    for (const std::uint64_t key : keys) {
        EXPECT_EQ(table.check(key, start, wide).remaining, wide.burst - threads * times - 1);
    }
}

TEST(LimitTable, ACallThatComesLateCountsAsOfTheLatest) {
    LimitTable table{{.memory_max_bytes = small}};
    EXPECT_TRUE(table.check(7 + 64, start + 1s, five_a_second).allowed) << "of the same part";
    for (int at = 0; at < 10; ++at) EXPECT_TRUE(table.check(7, start, five_a_second).allowed);
    EXPECT_FALSE(table.check(7, start + 1s, five_a_second).allowed)
        << "an entry may have been taken over by the later clock: no time passes twice";
    EXPECT_TRUE(table.check(7, start + 1200ms, five_a_second).allowed);
}

TEST(LimitTable, TakesItsMemoryAtTheStartAndNoMore) {
    LimitTable table{{.memory_max_bytes = std::size_t{1} << 20U}};
    const std::size_t before = table.memory_bytes();
    EXPECT_LE(before, std::size_t{1} << 20U);
    EXPECT_GT(table.figures().capacity, 60'000U);
    test::SeededEntropy chance{13};
    for (int at = 0; at < 200'000; ++at) {
        static_cast<void>(table.check(chance.next(), start, five_a_second));
    }
    EXPECT_EQ(table.memory_bytes(), before);
    EXPECT_LE(table.figures().entries, table.figures().capacity);
}

/// Of this process, in memory now.
std::size_t resident_bytes() {
    std::ifstream statm{"/proc/self/statm"};
    std::size_t size = 0;
    std::size_t resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(LimitTable, HasOnlyThatMemoryInUseThatKeysHaveTouched) {
    // A heap that has blocks at hand, as after reading a configuration.
    std::vector<std::unique_ptr<std::array<char, 1 << 19>>> blocks(64);
    for (auto& each : blocks) each = std::make_unique<std::array<char, 1 << 19>>();
    blocks.clear();
    const std::size_t before = resident_bytes();
    LimitTable table{{}};
    EXPECT_TRUE(table.check(7, start, five_a_second).allowed);
    EXPECT_GT(table.memory_bytes(), 60U << 20U);
    EXPECT_LT(resident_bytes(), before + (8U << 20U));
}

TEST(LimitTable, NotesWhoComesBackAndNotWhoCameOnce) {
    LimitTable table{{.memory_max_bytes = small, .uses_max = 1024}};
    std::vector<LimitTable::Use> uses;
    EXPECT_TRUE(table.check(7, start, five_a_second).allowed);
    EXPECT_TRUE(table.check(8, start, five_a_second).allowed);
    table.take_uses(uses);
    EXPECT_TRUE(uses.empty()) << "each came once";
    for (int at = 0; at < 20; ++at) static_cast<void>(table.check(7, start, five_a_second));
    EXPECT_TRUE(table.check(8, start + 3s, five_a_second).allowed);
    table.take_uses(uses);
    ASSERT_EQ(uses.size(), 1U) << "the other came back when its burst was whole again";
    EXPECT_EQ(uses.front().key, 7U);
    EXPECT_EQ(uses.front().count, 9U) << "refused ones are no use";
    uses.clear();
    table.take_uses(uses);
    EXPECT_TRUE(uses.empty()) << "handed over once";
}

TEST(LimitTable, NotesNoMoreKeysThanItMay) {
    LimitTable table{{.memory_max_bytes = small, .uses_max = 128}};
    for (std::uint64_t key = 1; key <= 5000; ++key) {
        for (int at = 0; at < 2; ++at) static_cast<void>(table.check(key, start, five_a_second));
    }
    std::vector<LimitTable::Use> uses;
    table.take_uses(uses);
    EXPECT_EQ(uses.size(), 128U);
}

TEST(LimitTable, AChargeCountsAsIfItHadBeenAllowedHere) {
    LimitTable table{{.memory_max_bytes = small}};
    table.charge({.key = 7, .count = 4}, start, five_a_second);
    EXPECT_EQ(table.check(7, start, five_a_second).remaining, 5U) << "of ten";
    table.charge({.key = 7, .count = 10}, start, five_a_second);
    const GcraAnswer refused = table.check(7, start, five_a_second);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.retry_after, 1200ms) << "what was too much elsewhere is paid back here";
    EXPECT_TRUE(table.check(7, start + 1200ms, five_a_second).allowed);
}

TEST(LimitTable, AChargeForgivesNoDebt) {
    LimitTable table{{.memory_max_bytes = small}};
    const RateLimit slow{.interval = 1h, .burst = 48};
    for (int at = 0; at < 48; ++at) EXPECT_TRUE(table.check(7, start, slow).allowed);
    table.charge({.key = 7, .count = 1}, start, slow);
    EXPECT_FALSE(table.check(7, start, slow).allowed);
}

TEST(LimitTable, AChargeNeverLocksAKeyOutForEver) {
    LimitTable table{{.memory_max_bytes = small}};
    const RateLimit hourly{.interval = 1h, .burst = 1};
    for (int at = 0; at < 10; ++at) {
        table.charge({.key = 7, .count = ~std::uint32_t{0}}, start, hourly);
    }
    EXPECT_TRUE(table.check(7, start + 25h, hourly).allowed);
}

}  // namespace
}  // namespace firstcome::resilience
