// src/adapters/redis/deadline.hpp - a moment to be done by, in the form poll() asks for
#pragma once

#include "base/time.hpp"

#include <algorithm>
#include <chrono>

namespace firstcome::redis {

class Deadline {
public:
    Deadline(const base::Clock& clock, std::chrono::milliseconds from_now)
        : clock_(&clock), at_(clock.monotonic() + from_now) {}

    /// The earlier of this one and a wait from now.
    [[nodiscard]] Deadline within(std::chrono::milliseconds from_now) const {
        Deadline other{*clock_, from_now};
        other.at_ = std::min(other.at_, at_);
        return other;
    }

    /// Rounded up, so that a wait does not end just before the moment; 0: it has passed.
    [[nodiscard]] std::chrono::milliseconds left() const {
        const auto left = at_ - clock_->monotonic();
        return std::max(
            std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds{0}
        );
    }

private:
    const base::Clock* clock_;
    base::MonotonicTime at_;
};

}  // namespace firstcome::redis
