// src/base/time.hpp - the two clocks, and why they are never mixed
#pragma once

#include <chrono>

namespace firstcome::base {

/// For waiting, deadlines and lifetimes: never steps, so nothing expires early when the wall clock
/// is set.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// For what people read and for sale windows: UTC, milliseconds since 1970.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Where time comes from. Time is an argument everywhere below main, so a test never sleeps.
class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    /// Thread   any
    [[nodiscard]] virtual MonotonicTime monotonic() const = 0;
    /// Thread   any
    [[nodiscard]] virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] MonotonicTime monotonic() const override;
    [[nodiscard]] WallTime wall() const override;
};

}  // namespace firstcome::base
