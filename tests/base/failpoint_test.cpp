// tests/base/failpoint_test.cpp - what arms a failpoint, and what it then does
#include "base/failpoint.hpp"

#include "base/time.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

namespace firstcome::base {
namespace {

TEST(Failpoint, SaysWhatIsWrongWithItsText) {
    struct Row {
        std::string_view text;
        std::string_view wrong;  // empty: the text is right
    };

    const Row rows[] = {
        {"", ""},
        {"never_passed=kill", ""},
        {"never_passed=stop@25", ""},
        {"never_passed=freeze", ""},
        {"never_passed=kill,never_either=stop@3", ""},
        {"never_passed", "expected name=kill, name=stop, name=freeze or name=10ms"},
        {"never_passed=kill,", ""},
        {"never_passed=kill,,never_either=kill",
         "expected name=kill, name=stop, name=freeze or name=10ms"},
        {"never_passed=10ms", ""},
        {"never_passed=0ms", "the action is kill, stop, freeze or a time such as 10ms"},
        {"never_passed=ms", "the action is kill, stop, freeze or a time such as 10ms"},
        {"never_passed=10s", "the action is kill, stop, freeze or a time such as 10ms"},
        {"never_passed=explode", "the action is kill, stop, freeze or a time such as 10ms"},
        {"never_passed=", "the action is kill, stop, freeze or a time such as 10ms"},
        {"never_passed=kill@", "expected a whole number after @"},
        {"never_passed=kill@x", "expected a whole number after @"},
        {"never_passed=kill@3x", "expected a whole number after @"},
        {"never_passed=kill@0", "expected a whole number after @"},
        {"never_passed=kill@-1", "expected a whole number after @"},
        {"never_passed=kill@99999999999", "expected a whole number after @"},
    };
    for (const Row& row : rows) {
        EXPECT_EQ(arm_failpoints(row.text).value_or(""), row.wrong) << row.text;
    }
    failpoint("another_place");
}

void arm_and_pass(const char* text, int passages) {
    if (arm_failpoints(text)) std::_Exit(1);
    for (int i = 0; i < passages; ++i) {
        failpoint("elsewhere");
        failpoint("here");
    }
    std::_Exit(0);
}

TEST(FailpointDeathTest, KillsAtJustThePassageAskedFor) {
    EXPECT_EXIT(arm_and_pass("here=kill", 1), testing::KilledBySignal(SIGKILL), "");
    EXPECT_EXIT(arm_and_pass("here=kill@3", 3), testing::KilledBySignal(SIGKILL), "");
    EXPECT_EXIT(arm_and_pass("here=kill@3", 2), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(arm_and_pass("nowhere=kill,here=kill@2", 2), testing::KilledBySignal(SIGKILL), "");
    EXPECT_EXIT(arm_and_pass("", 5), testing::ExitedWithCode(0), "");
}

TEST(FailpointDeathTest, SlowsEveryPassage) {
    const auto pass = [] {
        const SystemClock clock;
        const auto began = clock.monotonic();
        if (arm_failpoints("here=2ms")) std::_Exit(1);
        for (int i = 0; i < 3; ++i) failpoint("here");
        const auto took = clock.monotonic() - began;
        std::_Exit(took >= std::chrono::milliseconds{6} ? 0 : 2);
    };
    EXPECT_EXIT(pass(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace firstcome::base
