// tests/app/shard_leader_test.cpp - who leads relays; who does not lead touches nothing
#include "app/shard_leader.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::app {
namespace {

using namespace std::chrono_literals;
using ports::RecordError;

/// Duties that only write down that they were called, and answer as the test says.
struct LeaderWorld {
    LeaderDuties duties() {
        return {
            .lead =
                [this] {
                    said += "lead ";
                    return lead;
                },
            .epoch_is_good =
                [this] {
                    said += "epoch ";
                    return epoch_is_good;
                },
            .relay =
                [this] {
                    said += "relay ";
                    clock.pass(relay_takes);
                    return relay;
                },
            .hurry = [this](base::MonotonicTime) { said += "hurry "; },
            .conserve = [this] { said += "conserve "; },
            .pending = [this] { return pending; },
        };
    }

    /// What was called since the last time.
    std::string calls() { return std::exchange(said, ""); }

    /// Steps for so long, letting each rest pass.
    void run(std::chrono::milliseconds time) {
        const auto end = clock.monotonic() + time;
        while (clock.monotonic() < end) clock.pass(std::max(leader.step(), 1ms));
    }

    std::size_t count(std::string_view word) const {
        std::size_t times = 0;
        for (auto at = said.find(word); at != said.npos; at = said.find(word, at + 1)) ++times;
        return times;
    }

    test::ManualClock clock;
    std::expected<bool, RecordError> lead = true;
    bool epoch_is_good = true;
    RelayStep relay{};
    std::chrono::milliseconds relay_takes{0};
    std::uint64_t pending = 7;
    std::string said;
    ShardLeader leader{{}, duties(), clock};
};

TEST(ShardLeader, LeadsThenSeesToTheEpochThenRelays) {
    LeaderWorld world;
    EXPECT_EQ(world.leader.step(), 0ms) << "more may wait";
    EXPECT_EQ(world.calls(), "lead epoch relay ");
    EXPECT_TRUE(world.leader.leading());
    EXPECT_EQ(world.leader.step(), 0ms);
    EXPECT_EQ(world.calls(), "epoch relay ") << "the lead is fresh";
}

TEST(ShardLeader, AsksEverySecondWhileAnotherNodeLeads) {
    LeaderWorld world;
    world.lead = false;
    EXPECT_EQ(world.leader.step(), 1000ms);
    EXPECT_EQ(world.calls(), "lead ");
    EXPECT_FALSE(world.leader.leading());
    EXPECT_TRUE(world.leader.following());
    world.clock.pass(400ms);
    EXPECT_EQ(world.leader.step(), 600ms) << "woken too early, it asks nothing";
    EXPECT_EQ(world.calls(), "");
    world.run(60s);
    EXPECT_EQ(world.count("lead"), 60U);
    EXPECT_EQ(world.count("relay") + world.count("epoch") + world.count("conserve"), 0U);
    world.lead = true;
    world.clock.pass(1s);
    world.leader.step();
    EXPECT_TRUE(world.leader.leading());
}

TEST(ShardLeader, NeitherLeadsNorFollowsWhileNobodyCanSay) {
    LeaderWorld world;
    EXPECT_FALSE(world.leader.following()) << "not asked yet";
    world.lead = false;
    world.run(5s);
    EXPECT_TRUE(world.leader.following());
    world.lead = std::unexpected(RecordError::unavailable);
    world.run(2s);
    EXPECT_FALSE(world.leader.leading());
    EXPECT_FALSE(world.leader.following()) << "the one it followed may be gone";
}

TEST(ShardLeader, RelaysNothingInAnEpochThatIsNotGood) {
    LeaderWorld world;
    world.epoch_is_good = false;
    EXPECT_EQ(world.leader.step(), 250ms);
    world.run(5s);
    EXPECT_EQ(world.count("relay") + world.count("conserve"), 0U);
    EXPECT_GE(world.count("lead"), 5U) << "the heart beats meanwhile";
    world.epoch_is_good = true;
    world.leader.step();
    EXPECT_EQ(world.count("relay"), 1U);
}

TEST(ShardLeader, BeatsAndChecksConservationOnceASecondBusyOrNot) {
    struct Row {
        RelayStep relay;
        std::chrono::milliseconds takes;
        const char* why;
    };

    const Row rows[] = {
        {{.settled = 500}, 3ms, "busy"},
        {{.empty = true}, 100ms, "nothing to relay"},
        {{.rest = 5s}, 0ms, "the relay rests after a fault"},
    };
    for (const Row& row : rows) {
        LeaderWorld world;
        world.relay = row.relay;
        world.relay_takes = row.takes;
        world.run(100s);
        EXPECT_NEAR(static_cast<double>(world.count("lead")), 95, 6) << row.why;
        EXPECT_NEAR(static_cast<double>(world.count("conserve")), 95, 6) << row.why;
    }
}

TEST(ShardLeader, StopsAtOnceWhenTheLeadIsNotSurelyOursAnyMore) {
    const std::expected<bool, RecordError> answers[] = {
        false,
        std::unexpected(RecordError::unavailable),
        std::unexpected(RecordError::outcome_unknown),
        std::unexpected(RecordError::not_ours),
        std::unexpected(RecordError::corrupt),
    };
    for (const auto& answer : answers) {
        LeaderWorld world;
        world.leader.step();
        world.clock.pass(1s);
        world.calls();
        world.lead = answer;
        EXPECT_EQ(world.leader.step(), 1000ms);
        EXPECT_EQ(world.calls(), "lead ") << "nothing after the bad news";
        EXPECT_FALSE(world.leader.leading());
        world.lead = true;
        world.clock.pass(1s);
        world.leader.step();
        EXPECT_EQ(world.calls(), "lead epoch relay ") << "from the beginning";
    }
}

TEST(ShardLeader, GivesTheLeadUpWhenTheOutboxSaysItIsAnotherNodes) {
    LeaderWorld world;
    world.relay.not_ours = true;
    EXPECT_EQ(world.leader.step(), 1000ms);
    EXPECT_FALSE(world.leader.leading());
}

/// The same with a thread: the clock is the system's, the answers never change.
struct ThreadWorld {
    LeaderDuties duties() {
        return {
            .lead = [this] { return lead; },
            .epoch_is_good = [] { return true; },
            .relay = [this] { return relay(); },
            .hurry = [](base::MonotonicTime) {},
            .conserve = [] {},
            .pending = [this] { return waiting; },
        };
    }

    RelayStep relay() {
        if (stuck) return {.rest = 10ms};
        if (waiting == 0) return {.rest = 1ms, .empty = true};
        --waiting;
        return {.settled = 1};
    }

    std::uint64_t drained(std::chrono::milliseconds within) {
        leader.start();
        return leader.drain(clock.monotonic() + within);
    }

    base::SystemClock clock;
    std::expected<bool, RecordError> lead = true;
    bool stuck = false;
    std::uint64_t waiting = 100;
    ShardLeader leader{{.shard = 3}, duties(), clock};
};

TEST(ShardLeader, DrainsWhatIsThereBeforeItEnds) {
    ThreadWorld world;
    EXPECT_EQ(world.drained(60s), 0U);
    EXPECT_EQ(world.waiting, 0U);
}

TEST(ShardLeader, LeavesADrainToTheNodeThatLeads) {
    ThreadWorld world;
    world.lead = false;
    EXPECT_EQ(world.drained(60s), 0U) << "nothing of ours is left";
    EXPECT_EQ(world.waiting, 100U);
}

TEST(ShardLeader, SaysWhatIsLeftWhenTheDeadlineComesFirst) {
    ThreadWorld world;
    world.stuck = true;
    EXPECT_EQ(world.drained(30ms), 100U);
    ThreadWorld blind;
    blind.lead = std::unexpected(RecordError::unavailable);
    EXPECT_EQ(blind.drained(30ms), 100U) << "nobody may be leading";
}

}  // namespace
}  // namespace firstcome::app
