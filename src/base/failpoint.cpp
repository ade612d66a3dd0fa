// src/base/failpoint.cpp - named places where a test may kill, halt or slow the process
#include "base/failpoint.hpp"

#include "base/assert.hpp"
#include "base/doorbell.hpp"

#include <charconv>
#include <chrono>
#include <deque>
#include <future>
#include <signal.h>

namespace firstcome::base {

std::atomic<bool> failpoints_armed{false};

namespace {

struct Armed {
    std::string name;
    int signal = 0;                    // 0: the thread freezes
    std::chrono::milliseconds slow{};  // not zero: every passage takes so long, and nothing else
    std::atomic<int> passages_left{1};
};

// Written before the other threads start, and never again.
std::deque<Armed>& armed() {
    static std::deque<Armed> list;
    return list;
}

// As a call into a driver that never returns: this thread alone, until the process ends.
[[noreturn]] void freeze_for_ever() {
    std::promise<void> never;
    const auto kept = never.get_future();
    while (true) kept.wait();
}

std::optional<int> whole_number(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 1) return std::nullopt;
    return number;
}

std::optional<std::string> arm_one(std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) {
        return "expected name=kill, name=stop, name=freeze or name=10ms";
    }
    std::string_view action = text.substr(equals + 1);
    int passages = 1;
    if (const auto at = action.find('@'); at != std::string_view::npos) {
        const auto number = whole_number(action.substr(at + 1));
        if (!number) return "expected a whole number after @";
        passages = *number;
        action = action.substr(0, at);
    }
    std::chrono::milliseconds slow{};
    if (action.ends_with("ms")) {
        const auto number = whole_number(action.substr(0, action.size() - 2));
        slow = std::chrono::milliseconds{number.value_or(0)};
    }
    if (action != "kill" && action != "stop" && action != "freeze" && slow.count() == 0) {
        return "the action is kill, stop, freeze or a time such as 10ms";
    }
    Armed& made = armed().emplace_back();
    made.slow = slow;
    made.name = text.substr(0, equals);
    made.signal = action == "kill" ? SIGKILL : action == "stop" ? SIGSTOP : 0;
    made.passages_left.store(passages);
    return std::nullopt;
}

}  // namespace

void failpoint_reached(std::string_view name) {
    for (Armed& each : armed()) {
        if (each.name != name) continue;
        if (each.slow.count() > 0) {
            Doorbell{}.rest(each.slow);
            continue;
        }
        if (each.passages_left.fetch_sub(1) != 1) continue;
        if (each.signal == 0) freeze_for_ever();
        const int sent = ::raise(each.signal);
        FC_ASSERT(sent == 0);
    }
}

std::optional<std::string> arm_failpoints(std::string_view text) {
    while (!text.empty()) {
        const auto comma = text.find(',');
        if (auto wrong = arm_one(text.substr(0, comma))) return wrong;
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    failpoints_armed.store(!armed().empty(), std::memory_order_relaxed);
    return std::nullopt;
}

}  // namespace firstcome::base
