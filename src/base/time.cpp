// src/base/time.cpp - the one place that asks the machine for the time
#include "base/time.hpp"

namespace firstcome::base {

MonotonicTime SystemClock::monotonic() const {
    return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now());
}

WallTime SystemClock::wall() const {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()
    );
}

}  // namespace firstcome::base
