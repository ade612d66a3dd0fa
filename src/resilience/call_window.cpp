// src/resilience/call_window.cpp - the ring behind both kinds of sliding windows
#include "resilience/call_window.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <chrono>

namespace firstcome::resilience {

CallCounts& CallCounts::operator+=(const CallCounts& other) {
    calls += other.calls;
    failed += other.failed;
    slow += other.slow;
    slow_failed += other.slow_failed;
    return *this;
}

CallCounts& CallCounts::operator-=(const CallCounts& other) {
    FC_ASSERT(calls >= other.calls);
    calls -= other.calls;
    failed -= other.failed;
    slow -= other.slow;
    slow_failed -= other.slow_failed;
    return *this;
}

CallWindow::CallWindow(Kind kind, std::uint32_t size) : kind_(kind), cells_(size) {
    FC_ASSERT(size > 0);
}

void CallWindow::add(bool failed, bool slow, base::MonotonicTime now) {
    const CallCounts call{
        .calls = 1,
        .failed = failed ? 1U : 0U,
        .slow = slow ? 1U : 0U,
        .slow_failed = failed && slow ? 1U : 0U,
    };
    if (kind_ == Kind::calls) move_on(1);
    if (kind_ == Kind::seconds) move_to(now);
    cells_[newest_] += call;
    sum_ += call;
}

CallCounts CallWindow::counts(base::MonotonicTime now) {
    if (kind_ == Kind::seconds) move_to(now);
    return sum_;
}

void CallWindow::clear() {
    std::ranges::fill(cells_, CallCounts{});
    sum_ = {};
}

void CallWindow::move_on(std::uint64_t cells) {
    for (std::uint64_t left = std::min<std::uint64_t>(cells, cells_.size()); left > 0; --left) {
        newest_ = newest_ + 1 == cells_.size() ? 0 : newest_ + 1;
        sum_ -= cells_[newest_];
        cells_[newest_] = {};
    }
}

void CallWindow::move_to(base::MonotonicTime now) {
    const auto second =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (second <= newest_second_) return;
    move_on(static_cast<std::uint64_t>(second - newest_second_));
    newest_second_ = second;
}

}  // namespace firstcome::resilience
