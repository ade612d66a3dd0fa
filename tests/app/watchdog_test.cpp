// tests/app/watchdog_test.cpp - who stands still is named, and the supervisor hears nothing then
#include "app/watchdog.hpp"

#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::app {
namespace {

using test::ManualClock;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;

struct Watched {
    ManualClock clock;
    Beat lane{.last = clock.monotonic(), .idle = true};
    Beat io{.last = clock.monotonic()};
    Names told;
    int alive = 0;
    Watchdog watchdog{
        {.stuck_after = 5s},
        {{.name = "fc-lane-0", .beat = [this] { return lane; }},
         {.name = "fc-io-0", .beat = [this] { return io; }}},
        {.stuck = [this](const std::string& name) { told.push_back(name + " stuck"); },
         .moves = [this](const std::string& name) { told.push_back(name + " moves"); },
         .alive = [this] { ++alive; }},
        clock};
};

TEST(Watchdog, NamesWhoHasNotMovedForTooLong) {
    Watched world;
    world.clock.pass(5s);
    EXPECT_EQ(world.watchdog.stuck(), Names{}) << "just not too long";
    world.clock.pass(1ms);
    EXPECT_EQ(world.watchdog.stuck(), Names{"fc-io-0"}) << "the lane has nothing to do";
    world.lane.idle = false;
    EXPECT_EQ(world.watchdog.stuck(), (Names{"fc-lane-0", "fc-io-0"}));
    world.lane.last = world.io.last = world.clock.monotonic();
    EXPECT_EQ(world.watchdog.stuck(), Names{});
}

TEST(Watchdog, TellsOnceAndKeepsTheSupervisorWaitingMeanwhile) {
    Watched world;
    world.watchdog.step();
    EXPECT_EQ(world.alive, 1);
    world.clock.pass(6s);
    world.watchdog.step();
    world.watchdog.step();
    EXPECT_EQ(world.told, Names{"fc-io-0 stuck"});
    EXPECT_EQ(world.alive, 1) << "nobody may be told that all is well";
    world.io.last = world.clock.monotonic();
    world.watchdog.step();
    EXPECT_EQ(world.told, (Names{"fc-io-0 stuck", "fc-io-0 moves"}));
    EXPECT_EQ(world.alive, 2);
}

TEST(Watchdog, CallsNobodyStuckWhoShallEnd) {
    Watched world;
    world.watchdog.start();
    world.watchdog.stop();
    world.clock.pass(1min);
    EXPECT_EQ(world.watchdog.stuck(), Names{});
}

}  // namespace
}  // namespace firstcome::app
