// src/resilience/circuit_breaker.hpp - stops asking what fails too often, and tries again later
#pragma once

#include "base/entropy.hpp"
#include "base/time.hpp"
#include "resilience/call_window.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace firstcome::resilience {

/// Source   Resilience4j, CircuitBreaker.State and its order
enum class BreakerState : std::uint8_t {
    closed = 0,        // asks, and counts how it goes
    open = 1,          // does not ask; after a while half-open by itself
    half_open = 2,     // lets a few calls try
    disabled = 3,      // asks and does not count
    forced_open = 4,   // does not ask until somebody says so
    metrics_only = 5,  // asks and counts, and never opens
};

/// Names and meanings as in Resilience4j; rates are percents.
struct BreakerOptions {
    /// `calls`: COUNT_BASED, the last `sliding_window_size` calls; `seconds`: TIME_BASED, those of
    /// the last `sliding_window_size` seconds.
    CallWindow::Kind sliding_window_type = CallWindow::Kind::calls;
    std::uint32_t sliding_window_size = 100;
    std::uint32_t minimum_number_of_calls = 20;  ///< with fewer in the window no rate is known
    double failure_rate_threshold = 50;          ///< opens at or above
    double slow_call_rate_threshold = 50;        ///< opens at or above
    std::chrono::nanoseconds slow_call_duration_threshold = std::chrono::milliseconds{100};  ///< >
    /// The first time; doubles each time half-open ends in open again, up to the maximum, each one
    /// made longer or shorter at random by up to `wait_jitter` of it.
    std::chrono::nanoseconds wait_duration_in_open_state = std::chrono::seconds{2};
    std::chrono::nanoseconds wait_duration_in_open_state_max = std::chrono::seconds{30};
    double wait_jitter = 0.2;
    std::uint32_t permitted_number_of_calls_in_half_open_state = 10;
    /// From the first call that tries; then what is known decides, and a call that has not
    /// answered counts as failed and slow. Counting from the state's beginning, a service nobody
    /// uses would be open most of the time, and one with few calls would never close.
    std::chrono::nanoseconds max_wait_duration_in_half_open_state = std::chrono::seconds{5};
};

/// Calls of one kind since the start, and how long they took in all.
struct CallTotal {
    std::uint64_t count = 0;
    std::chrono::nanoseconds took{};
};

struct BreakerFigures {
    BreakerState state = BreakerState::closed;
    double failure_rate = -1;    ///< percent; -1: too few calls to tell
    double slow_call_rate = -1;  ///< percent; -1: too few calls to tell
    CallCounts buffered;         ///< in the window
    std::uint64_t not_permitted_in_state = 0;
    std::uint64_t not_permitted_total = 0;
    CallTotal successful;
    CallTotal failed;
    CallTotal ignored;  ///< cancelled
};

struct StateChange {
    const std::string& breaker;
    BreakerState before;
    BreakerState after;
    const BreakerFigures& figures;  ///< that led to it
};

/// Thread   any; one short lock a call, which is one batch or one read
/// Source   Resilience4j, CircuitBreakerStateMachine
class CircuitBreaker {
public:
    /// The right to make one call. Say how it went; one that goes away untold counts as cancelled.
    /// A call begun before a change of state counts in the totals only.
    class Permit {
    public:
        Permit(Permit&& other) noexcept;
        Permit& operator=(Permit&&) = delete;
        Permit(const Permit&) = delete;
        Permit& operator=(const Permit&) = delete;
        ~Permit();

        /// An answer came, a business "no" included. The time since the permit is the duration.
        void succeed(base::MonotonicTime now);
        /// callers  who waited for this one call. One that failed slowly counts for each of them: a
        ///          server that stands still is known after a deadline or two, not after fifty.
        void fail(base::MonotonicTime now, std::uint32_t callers = 1);
        /// Was not made, or says nothing about the other side: the permit goes back.
        void cancel(base::MonotonicTime now);

    private:
        friend class CircuitBreaker;

        Permit(CircuitBreaker& breaker, std::uint64_t generation, base::MonotonicTime began)
            : breaker_(&breaker), generation_(generation), began_(began) {}

        CircuitBreaker* breaker_;  // outlives; null: told
        std::uint64_t generation_;
        base::MonotonicTime began_;
    };

    using Listener = std::function<void(const StateChange&)>;

    /// chance    this breaker's own
    /// listener  told of each change of state, in order, under the breaker's lock: it must be quick
    ///           and not call back
    CircuitBreaker(
        std::string name,
        const BreakerOptions& options,
        std::unique_ptr<base::Entropy> chance,
        Listener listener = {}
    );
    CircuitBreaker(const CircuitBreaker&) = delete;
    CircuitBreaker& operator=(const CircuitBreaker&) = delete;

    /// Nothing: do not ask.
    [[nodiscard]] std::optional<Permit> try_acquire(base::MonotonicTime now);

    /// By hand: goes to `state`, with an empty window, unless it is there already. Returns where it
    /// was.
    BreakerState turn_to(BreakerState state, base::MonotonicTime now);
    /// By hand: closed, with an empty window, also when it is closed already.
    BreakerState reset(base::MonotonicTime now);

    [[nodiscard]] BreakerFigures figures(base::MonotonicTime now);

    [[nodiscard]] const std::string& name() const { return name_; }

private:
    enum class Ending : std::uint8_t { successful, failed, ignored };

    void settle(
        const Permit& permit, Ending ending, base::MonotonicTime now, std::uint32_t callers = 1
    );
    // The rest is called with the lock held.
    void move_on(base::MonotonicTime now);
    void count(Ending ending, bool slow, base::MonotonicTime now);
    void end_trial(const CallCounts& counts, std::uint32_t calls, base::MonotonicTime at);
    void enter(BreakerState state, base::MonotonicTime at);
    [[nodiscard]] bool admits() const;
    [[nodiscard]] bool over_threshold(std::uint32_t calls, const CallCounts& counts) const;
    [[nodiscard]] std::chrono::nanoseconds draw_wait();
    [[nodiscard]] BreakerFigures figures_now(base::MonotonicTime now);
    [[nodiscard]] std::uint32_t calls_needed() const;

    const std::string name_;
    const BreakerOptions options_;
    const Listener listener_;
    std::mutex mutex_;  // over all below
    std::unique_ptr<base::Entropy> chance_;
    BreakerState state_ = BreakerState::closed;
    std::uint64_t generation_ = 0;  // one more with each change of state
    CallWindow window_;
    CallWindow trial_;                   // of half-open
    bool trial_is_shown_ = false;        // the last window in use was the trial's
    std::uint32_t trial_calls_ = 0;      // permits given and not given back
    base::MonotonicTime trial_began_{};  // with the first of them
    base::MonotonicTime open_until_{};
    std::uint32_t opened_in_a_row_ = 0;  // without being closed in between
    std::uint64_t not_permitted_in_state_ = 0;
    std::uint64_t not_permitted_total_ = 0;
    std::array<CallTotal, 3> totals_;  // by Ending
};

}  // namespace firstcome::resilience
