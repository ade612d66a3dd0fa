// src/wiring/breakers.hpp - the circuit breakers as configured, around what may fail
#pragma once

#include "adapters/guarded/breaker_board.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "resilience/circuit_breakers.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace firstcome::wiring {

/// Thread   add: main, before others start; the rest: any
class Breakers {
public:
    /// Both outlive this.
    Breakers(const config::Config::Breaker& options, const base::Clock& clock)
        : options_(options), all_(guarded::log_state_change), board_(all_, clock) {}

    resilience::CircuitBreaker& add(std::string name, std::chrono::milliseconds slow) {
        return all_.add(
            std::move(name), breaker_options(slow), std::make_unique<base::SystemEntropy>()
        );
    }

    [[nodiscard]] ports::BreakerBoard& board() { return board_; }

private:
    [[nodiscard]] resilience::BreakerOptions breaker_options(std::chrono::milliseconds slow) const {
        using Kind = resilience::CallWindow::Kind;
        const bool calls = options_.window_type == config::WindowType::count_based;
        resilience::BreakerOptions made;
        made.sliding_window_type = calls ? Kind::calls : Kind::seconds;
        made.sliding_window_size = options_.window_size;
        made.minimum_number_of_calls = options_.minimum_calls;
        made.failure_rate_threshold = options_.failure_percent;
        made.slow_call_rate_threshold = options_.slow_percent;
        made.slow_call_duration_threshold = slow;
        made.wait_duration_in_open_state = options_.open_wait;
        made.wait_duration_in_open_state_max = options_.open_wait_max;
        made.permitted_number_of_calls_in_half_open_state = options_.half_open_permits;
        made.max_wait_duration_in_half_open_state = options_.half_open_max;
        return made;
    }

    const config::Config::Breaker& options_;
    resilience::CircuitBreakers all_;
    guarded::BreakerBoard board_;
};

}  // namespace firstcome::wiring
