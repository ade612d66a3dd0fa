// src/adapters/guarded/breaker_board.hpp - the registry of circuit breakers behind its port
#pragma once

#include "base/time.hpp"
#include "ports/breaker_board.hpp"
#include "resilience/circuit_breakers.hpp"

namespace firstcome::guarded {

/// Thread   any
class BreakerBoard final : public ports::BreakerBoard {
public:
    /// Both outlive this.
    BreakerBoard(const resilience::CircuitBreakers& breakers, const base::Clock& clock)
        : breakers_(breakers), clock_(clock) {}

    [[nodiscard]] std::vector<ports::BreakerFigures> breakers() const override;
    [[nodiscard]] std::optional<ports::BreakerTurned> turn(
        std::string_view name, ports::BreakerCommand command
    ) override;

private:
    const resilience::CircuitBreakers& breakers_;
    const base::Clock& clock_;
};

/// Writes a change of state to the log: what the registry's listener is for.
void log_state_change(const resilience::StateChange& change);

}  // namespace firstcome::guarded
