// src/resilience/circuit_breaker.cpp - the six states, and what leads from one to another
#include "resilience/circuit_breaker.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::resilience {

using base::MonotonicTime;
using std::chrono::nanoseconds;

namespace {

double percent(std::uint32_t part, std::uint32_t whole) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

CircuitBreaker::Permit::Permit(Permit&& other) noexcept
    : breaker_(std::exchange(other.breaker_, nullptr)),
      generation_(other.generation_),
      began_(other.began_) {}

CircuitBreaker::Permit::~Permit() {
    if (breaker_ != nullptr) cancel(began_);
}

void CircuitBreaker::Permit::succeed(MonotonicTime now) {
    FC_ASSERT(breaker_ != nullptr);
    std::exchange(breaker_, nullptr)->settle(*this, Ending::successful, now);
}

void CircuitBreaker::Permit::fail(MonotonicTime now, std::uint32_t callers) {
    FC_ASSERT(breaker_ != nullptr);
    FC_ASSERT(callers > 0);
    std::exchange(breaker_, nullptr)->settle(*this, Ending::failed, now, callers);
}

void CircuitBreaker::Permit::cancel(MonotonicTime now) {
    FC_ASSERT(breaker_ != nullptr);
    std::exchange(breaker_, nullptr)->settle(*this, Ending::ignored, now);
}

CircuitBreaker::CircuitBreaker(
    std::string name,
    const BreakerOptions& options,
    std::unique_ptr<base::Entropy> chance,
    Listener listener
)
    : name_(std::move(name)),
      options_(options),
      listener_(std::move(listener)),
      chance_(std::move(chance)),
      window_(options.sliding_window_type, options.sliding_window_size),
      trial_(CallWindow::Kind::calls, options.permitted_number_of_calls_in_half_open_state) {
    FC_ASSERT(chance_ != nullptr);
    FC_ASSERT(options.minimum_number_of_calls > 0);
    FC_ASSERT(options.wait_jitter >= 0);
    FC_ASSERT(options.wait_jitter < 1);
}

std::optional<CircuitBreaker::Permit> CircuitBreaker::try_acquire(MonotonicTime now) {
    const std::lock_guard lock{mutex_};
    move_on(now);
    if (!admits()) {
        ++not_permitted_in_state_;
        ++not_permitted_total_;
        return std::nullopt;
    }
    if (state_ == BreakerState::half_open && trial_calls_++ == 0) trial_began_ = now;
    return Permit{*this, generation_, now};
}

BreakerState CircuitBreaker::turn_to(BreakerState state, MonotonicTime now) {
    const std::lock_guard lock{mutex_};
    move_on(now);
    const BreakerState before = state_;
    if (before != state) enter(state, now);
    return before;
}

BreakerState CircuitBreaker::reset(MonotonicTime now) {
    const std::lock_guard lock{mutex_};
    move_on(now);
    const BreakerState before = state_;
    enter(BreakerState::closed, now);
    return before;
}

BreakerFigures CircuitBreaker::figures(MonotonicTime now) {
    const std::lock_guard lock{mutex_};
    move_on(now);
    return figures_now(now);
}

bool CircuitBreaker::admits() const {
    switch (state_) {
        case BreakerState::closed:
        case BreakerState::disabled:
        case BreakerState::metrics_only: return true;
        case BreakerState::open:
        case BreakerState::forced_open: return false;
        case BreakerState::half_open:
            return trial_calls_ < options_.permitted_number_of_calls_in_half_open_state;
    }
    FC_UNREACHABLE();
}

void CircuitBreaker::settle(
    const Permit& permit, Ending ending, MonotonicTime now, std::uint32_t callers
) {
    const std::lock_guard lock{mutex_};
    const nanoseconds took = std::max(now - permit.began_, nanoseconds{0});
    CallTotal& total = totals_[static_cast<std::size_t>(ending)];
    ++total.count;
    total.took += took;
    move_on(now);
    const bool slow = took > options_.slow_call_duration_threshold;
    std::uint32_t times = ending == Ending::failed && slow ? callers : 1;
    for (; times > 0 && permit.generation_ == generation_; --times) count(ending, slow, now);
}

// What only time brings about. There is no timer: whoever comes next, a scrape included, finds the
// state as if there had been one.
void CircuitBreaker::move_on(MonotonicTime now) {
    const nanoseconds trial_max = options_.max_wait_duration_in_half_open_state;
    if (state_ == BreakerState::half_open && trial_calls_ > 0 && now - trial_began_ >= trial_max) {
        CallCounts counts = trial_.counts(now);
        const std::uint32_t calls = std::max(trial_calls_, counts.calls);
        const std::uint32_t unanswered = calls - counts.calls;
        counts.failed += unanswered;
        counts.slow += unanswered;
        end_trial(counts, calls, trial_began_ + trial_max);
    }
    if (state_ == BreakerState::open && now >= open_until_) {
        enter(BreakerState::half_open, open_until_);
    }
}

void CircuitBreaker::count(Ending ending, bool slow, MonotonicTime now) {
    const bool is_trial = state_ == BreakerState::half_open;
    if (ending == Ending::ignored) {
        if (is_trial) --trial_calls_;
        return;
    }
    if (state_ == BreakerState::disabled) return;
    CallWindow& window = is_trial ? trial_ : window_;
    window.add(ending == Ending::failed, slow, now);
    const CallCounts counts = window.counts(now);
    if (counts.calls < calls_needed()) return;
    if (is_trial) return end_trial(counts, counts.calls, now);
    if (state_ == BreakerState::closed && over_threshold(counts.calls, counts)) {
        enter(BreakerState::open, now);
    }
}

void CircuitBreaker::end_trial(const CallCounts& counts, std::uint32_t calls, MonotonicTime at) {
    FC_ASSERT(state_ == BreakerState::half_open);
    enter(over_threshold(calls, counts) ? BreakerState::open : BreakerState::closed, at);
}

void CircuitBreaker::enter(BreakerState state, MonotonicTime at) {
    const BreakerState before = std::exchange(state_, state);
    const BreakerFigures led_here = figures_now(at);
    ++generation_;
    not_permitted_in_state_ = 0;
    if (state == BreakerState::open) {
        // The window stays as it was, to show why.
        ++opened_in_a_row_;
        open_until_ = at + draw_wait();
    } else if (state == BreakerState::half_open) {
        trial_.clear();
        trial_calls_ = 0;
        trial_is_shown_ = true;
    } else {
        window_.clear();
        trial_is_shown_ = false;
        opened_in_a_row_ = 0;
    }
    if (listener_ && before != state) listener_({name_, before, state, led_here});
}

std::uint32_t CircuitBreaker::calls_needed() const {
    if (trial_is_shown_) return options_.permitted_number_of_calls_in_half_open_state;
    if (options_.sliding_window_type == CallWindow::Kind::seconds) {
        return options_.minimum_number_of_calls;
    }
    return std::min(options_.minimum_number_of_calls, options_.sliding_window_size);
}

bool CircuitBreaker::over_threshold(std::uint32_t calls, const CallCounts& counts) const {
    return percent(counts.failed, calls) >= options_.failure_rate_threshold ||
           percent(counts.slow, calls) >= options_.slow_call_rate_threshold;
}

nanoseconds CircuitBreaker::draw_wait() {
    const double max = static_cast<double>(options_.wait_duration_in_open_state_max.count());
    double wait = static_cast<double>(options_.wait_duration_in_open_state.count());
    for (std::uint32_t again = 1; again < opened_in_a_row_ && wait < max; ++again) wait *= 2;
    const double from_0_to_1 = static_cast<double>(chance_->next()) / 0x1p64;
    const double stretch = 1 + options_.wait_jitter * (2 * from_0_to_1 - 1);
    return nanoseconds{static_cast<std::int64_t>(std::min(wait, max) * stretch)};
}

BreakerFigures CircuitBreaker::figures_now(MonotonicTime now) {
    BreakerFigures figures;
    figures.state = state_;
    figures.buffered = (trial_is_shown_ ? trial_ : window_).counts(now);
    if (figures.buffered.calls >= calls_needed()) {
        figures.failure_rate = percent(figures.buffered.failed, figures.buffered.calls);
        figures.slow_call_rate = percent(figures.buffered.slow, figures.buffered.calls);
    }
    figures.not_permitted_in_state = not_permitted_in_state_;
    figures.not_permitted_total = not_permitted_total_;
    figures.successful = totals_[static_cast<std::size_t>(Ending::successful)];
    figures.failed = totals_[static_cast<std::size_t>(Ending::failed)];
    figures.ignored = totals_[static_cast<std::size_t>(Ending::ignored)];
    return figures;
}

}  // namespace firstcome::resilience
