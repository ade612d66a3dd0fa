// src/resilience/call_window.hpp - how the last calls went: the last N, or those of the last N s
#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <vector>

namespace firstcome::resilience {

struct CallCounts {
    std::uint32_t calls = 0;
    std::uint32_t failed = 0;
    std::uint32_t slow = 0;
    std::uint32_t slow_failed = 0;  ///< of the slow ones, those that failed too

    CallCounts& operator+=(const CallCounts& other);
    CallCounts& operator-=(const CallCounts& other);
};

/// A ring of cells and their sum: one call a cell when it counts calls, one second a cell when it
/// counts time. So both kinds move on the same way: the oldest cell leaves the sum.
///
/// Thread   the owner's only
/// Source   Resilience4j, FixedSizeSlidingWindowMetrics and SlidingTimeWindowMetrics
class CallWindow {
public:
    enum class Kind : std::uint8_t { calls, seconds };

    /// `size` cells, from 1.
    CallWindow(Kind kind, std::uint32_t size);

    void add(bool failed, bool slow, base::MonotonicTime now);

    /// Of the calls still in the window. A `now` before the last one counts as the last one.
    [[nodiscard]] CallCounts counts(base::MonotonicTime now);

    void clear();

private:
    void move_on(std::uint64_t cells);
    void move_to(base::MonotonicTime now);

    const Kind kind_;
    std::vector<CallCounts> cells_;
    std::size_t newest_ = 0;
    std::int64_t newest_second_ = 0;  // Kind::seconds only
    CallCounts sum_;
};

}  // namespace firstcome::resilience
