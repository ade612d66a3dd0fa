// src/adapters/guarded/breaker_board.cpp - shows and turns breakers, and logs how they change
#include "adapters/guarded/breaker_board.hpp"

#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <utility>

namespace firstcome::guarded {

namespace {

std::string_view spelled(resilience::BreakerState state) {
    return ports::breaker_states.at(std::to_underlying(state));
}

ports::BreakerCalls calls(const resilience::CallTotal& total) {
    return {.count = total.count, .took = total.took};
}

ports::BreakerFigures shown(const std::string& name, const resilience::BreakerFigures& figures) {
    return {
        .name = name,
        .state = spelled(figures.state),
        .failure_rate = figures.failure_rate,
        .slow_call_rate = figures.slow_call_rate,
        .buffered_calls = figures.buffered.calls,
        .failed_calls = figures.buffered.failed,
        .slow_calls = figures.buffered.slow,
        .slow_failed_calls = figures.buffered.slow_failed,
        .not_permitted_calls = figures.not_permitted_in_state,
        .not_permitted_total = figures.not_permitted_total,
        .successful = calls(figures.successful),
        .failed = calls(figures.failed),
        .ignored = calls(figures.ignored),
    };
}

resilience::BreakerState obey(
    resilience::CircuitBreaker& breaker, ports::BreakerCommand command, base::MonotonicTime now
) {
    switch (command) {
        // Forced, as Resilience4j's own endpoint does: one that is merely open would try again in
        // two seconds, whatever the person at the desk meant by it.
        case ports::BreakerCommand::open:
            return breaker.turn_to(resilience::BreakerState::forced_open, now);
        case ports::BreakerCommand::close:
            return breaker.turn_to(resilience::BreakerState::closed, now);
        case ports::BreakerCommand::reset: return breaker.reset(now);
    }
    FC_UNREACHABLE();
}

}  // namespace

std::vector<ports::BreakerFigures> BreakerBoard::breakers() const {
    std::vector<ports::BreakerFigures> all;
    for (const auto& breaker : breakers_.all()) {
        all.push_back(shown(breaker->name(), breaker->figures(clock_.monotonic())));
    }
    return all;
}

std::optional<ports::BreakerTurned> BreakerBoard::turn(
    std::string_view name, ports::BreakerCommand command
) {
    resilience::CircuitBreaker* breaker = breakers_.find(name);
    if (breaker == nullptr) return std::nullopt;
    const auto now = clock_.monotonic();
    const auto before = obey(*breaker, command, now);
    return ports::BreakerTurned{
        .before = spelled(before), .after = shown(breaker->name(), breaker->figures(now))};
}

void log_state_change(const resilience::StateChange& change) {
    const bool refuses = change.after == resilience::BreakerState::open ||
                         change.after == resilience::BreakerState::forced_open;
    log::write(
        refuses ? log::Level::warn : log::Level::info,
        "circuit breaker changed",
        {{"breaker", change.breaker},
         {"before", spelled(change.before)},
         {"after", spelled(change.after)},
         {"failure_rate", change.figures.failure_rate},
         {"slow_call_rate", change.figures.slow_call_rate},
         {"buffered_calls", change.figures.buffered.calls}}
    );
}

}  // namespace firstcome::guarded
