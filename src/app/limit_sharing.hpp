// src/app/limit_sharing.hpp - keeps the rate limits of all nodes together, in the background
#pragma once

#include "app/rate_limiter.hpp"
#include "base/doorbell.hpp"
#include "base/time.hpp"
#include "ports/limit_share.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace firstcome::app {

/// Each node decides at once by what it knows. What it let through, it tells the others ten times a
/// second; what they tell is charged here as if it had been here. So together all nodes let through
/// what one would, and up to a tenth of a second's worth too much, which is paid back. While the
/// others cannot be heard each node holds the limit alone.
///
/// Thread   start, stop: one; works on a thread of its own, `fc-limits`
class LimitSharing {
public:
    static constexpr std::chrono::milliseconds slice{100};
    static constexpr std::chrono::seconds pause_after_failure{1};

    /// `limiter` and `clock` outlive this. `heard` is told when the others are heard again, or no
    /// more; never twice the same.
    LimitSharing(
        RateLimiter& limiter,
        std::unique_ptr<ports::LimitShare> share,
        const base::Clock& clock,
        std::function<void(bool)> heard
    );
    ~LimitSharing();
    LimitSharing(const LimitSharing&) = delete;
    LimitSharing& operator=(const LimitSharing&) = delete;

    void start();

    /// One slice: tells and hears. False: nobody was heard.
    bool exchange();

private:
    void run();

    RateLimiter& limiter_;
    std::unique_ptr<ports::LimitShare> share_;
    const base::Clock& clock_;
    std::function<void(bool)> heard_;
    bool hears_ = true;
    base::Doorbell bell_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace firstcome::app
