// src/base/doorbell.hpp - a rest that can be cut short
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace firstcome::base {

/// A thread that works in rounds rests here between them; whoever has something for it rings.
///
/// Thread   ring: any; rest: one
class Doorbell {
public:
    /// Ends this rest, or else the next one.
    void ring() {
        const std::lock_guard lock{mutex_};
        rung_ = true;
        heard_.notify_one();
    }

    /// Rests for `at_most`, or until somebody rings.
    void rest(std::chrono::nanoseconds at_most) {
        std::unique_lock lock{mutex_};
        heard_.wait_for(lock, at_most, [this] { return rung_; });
        rung_ = false;
    }

private:
    std::mutex mutex_;
    std::condition_variable heard_;
    bool rung_ = false;
};

}  // namespace firstcome::base
