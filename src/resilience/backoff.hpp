// src/resilience/backoff.hpp - how long to leave alone what has just failed
#pragma once

#include "base/entropy.hpp"
#include "base/time.hpp"

#include <chrono>

namespace firstcome::resilience {

struct BackoffOptions {
    std::chrono::milliseconds first{1000};   ///< the longest rest after the first failure
    std::chrono::milliseconds cap{300'000};  ///< it doubles with each further one up to here
};

/// The longest rest after `failures` in a row (1, 2, ...).
[[nodiscard]] std::chrono::milliseconds longest_rest(
    const BackoffOptions& options, unsigned failures
);

/// A rest drawn evenly from 1 ms to the longest: many that failed together do not come back
/// together.
///
/// Source   "full jitter", AWS Architecture Blog, Exponential Backoff And Jitter
[[nodiscard]] std::chrono::milliseconds draw_rest(
    const BackoffOptions& options, unsigned failures, base::Entropy& entropy
);

/// Failures in a row of one thing, and when it may be tried again.
///
/// Thread   the owner's only
class Backoff {
public:
    explicit Backoff(BackoffOptions options) : options_(options) {}

    /// Another failure: begins a rest, and says how long it is.
    std::chrono::milliseconds failed(base::MonotonicTime now, base::Entropy& entropy);

    void succeeded();

    /// What is left of the rest, rounded up; 0: try.
    [[nodiscard]] std::chrono::milliseconds left(base::MonotonicTime now) const;

    [[nodiscard]] unsigned failures() const { return failures_; }

private:
    BackoffOptions options_;
    unsigned failures_ = 0;
    base::MonotonicTime until_{};
};

}  // namespace firstcome::resilience
