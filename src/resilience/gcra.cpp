// src/resilience/gcra.cpp - whole nanoseconds, so that nothing is rounded away over a long sale
#include "resilience/gcra.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace firstcome::resilience {

using std::chrono::nanoseconds;

RateLimit RateLimit::per(nanoseconds period, std::uint32_t count, std::uint32_t burst) {
    FC_ASSERT(count > 0);
    FC_ASSERT(period >= nanoseconds{1});
    const auto interval = (period.count() + count - 1) / count;
    return {.interval = nanoseconds{interval}, .burst = burst};
}

GcraAnswer check(base::MonotonicTime tat, base::MonotonicTime now, const RateLimit& limit) {
    FC_ASSERT(limit.interval >= nanoseconds{1});
    FC_ASSERT(limit.interval <= std::chrono::hours{1});
    FC_ASSERT(limit.burst >= 1);
    FC_ASSERT(limit.burst <= 1'000'000);
    const nanoseconds whole = limit.interval * limit.burst;
    const auto next = std::max(tat, now) + limit.interval;
    GcraAnswer answer;
    answer.allowed = next - now <= whole;
    answer.tat = answer.allowed ? next : tat;
    answer.reset = std::max(answer.tat - now, nanoseconds{0});
    if (!answer.allowed) {
        answer.retry_after = next - now - whole;
        return answer;
    }
    answer.remaining = static_cast<std::uint32_t>((whole - answer.reset) / limit.interval);
    return answer;
}

}  // namespace firstcome::resilience
