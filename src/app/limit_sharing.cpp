// src/app/limit_sharing.cpp - keeps the rate limits of all nodes together, in the background
#include "app/limit_sharing.hpp"

#include "base/assert.hpp"

#include <pthread.h>
#include <utility>

namespace firstcome::app {

LimitSharing::LimitSharing(
    RateLimiter& limiter,
    std::unique_ptr<ports::LimitShare> share,
    const base::Clock& clock,
    std::function<void(bool)> heard
)
    : limiter_(limiter), share_(std::move(share)), clock_(clock), heard_(std::move(heard)) {
    FC_ASSERT(share_ != nullptr);
}

LimitSharing::~LimitSharing() {
    stopping_.store(true);
    bell_.ring();
    if (thread_.joinable()) thread_.join();
}

void LimitSharing::start() {
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "fc-limits");
}

bool LimitSharing::exchange() {
    if (!limiter_.settings().enabled) return true;
    const auto theirs = share_->exchange(limiter_.take_uses());
    if (hears_ != theirs.has_value()) heard_(theirs.has_value());
    hears_ = theirs.has_value();
    if (theirs) limiter_.charge(*theirs, clock_.monotonic());
    return theirs.has_value();
}

void LimitSharing::run() {
    while (!stopping_.load()) {
        const bool heard = exchange();
        bell_.rest(heard ? std::chrono::nanoseconds{slice} : pause_after_failure);
    }
}

}  // namespace firstcome::app
