// src/telemetry/breaker_families.cpp - the circuit breakers as Resilience4j's metrics show them
#include "telemetry/breaker_families.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace firstcome::telemetry {

namespace {

using ports::BreakerFigures;

/// Metrics spell a state in lower case: `half_open`.
std::string label_of(std::string_view state) {
    std::string label{state};
    std::ranges::transform(label, label.begin(), [](char each) {
        return each >= 'A' && each <= 'Z' ? static_cast<char>(each - 'A' + 'a') : each;
    });
    return label;
}

double number(std::uint64_t count) {
    return static_cast<double>(count);
}

void add_states(Families& out, std::span<const BreakerFigures> breakers) {
    begin_gauge(
        out, "resilience4j_circuitbreaker_state", "1 for the state a circuit breaker is in."
    );
    for (const BreakerFigures& breaker : breakers) {
        for (const std::string_view state : ports::breaker_states) {
            const double value = breaker.state == state ? 1 : 0;
            add_value(out, value, {{"name", breaker.name}, {"state", label_of(state)}});
        }
    }
}

void add_calls(Families& out, std::span<const BreakerFigures> breakers) {
    begin_summary(
        out,
        "resilience4j_circuitbreaker_calls_seconds",
        "Calls that were permitted, by how they ended, and how long they took."
    );
    for (const BreakerFigures& breaker : breakers) {
        const std::pair<const char*, ports::BreakerCalls> kinds[] = {
            {"successful", breaker.successful},
            {"failed", breaker.failed},
            {"ignored", breaker.ignored},
        };
        for (const auto& [kind, calls] : kinds) {
            const double seconds = std::chrono::duration<double>(calls.took).count();
            add_summary(out, calls.count, seconds, {{"name", breaker.name}, {"kind", kind}});
        }
    }
    begin_counter(
        out,
        "resilience4j_circuitbreaker_not_permitted_calls_total",
        "Calls that were not made because the circuit breaker was open."
    );
    for (const BreakerFigures& breaker : breakers) {
        const Labels labels{{"name", breaker.name}, {"kind", "not_permitted"}};
        add_value(out, number(breaker.not_permitted_total), labels);
    }
}

/// `failed` of `all`, and the others as successful.
void add_buffered(
    Families& out, const BreakerFigures& breaker, std::uint64_t failed, std::uint64_t all
) {
    add_value(out, number(failed), {{"name", breaker.name}, {"kind", "failed"}});
    add_value(out, number(all - failed), {{"name", breaker.name}, {"kind", "successful"}});
}

void add_window(Families& out, std::span<const BreakerFigures> breakers) {
    begin_gauge(
        out, "resilience4j_circuitbreaker_buffered_calls", "Calls in the window that decides."
    );
    for (const BreakerFigures& breaker : breakers) {
        add_buffered(out, breaker, breaker.failed_calls, breaker.buffered_calls);
    }
    begin_gauge(
        out, "resilience4j_circuitbreaker_slow_calls", "Of the calls in the window, the slow ones."
    );
    for (const BreakerFigures& breaker : breakers) {
        add_buffered(out, breaker, breaker.slow_failed_calls, breaker.slow_calls);
    }
    begin_gauge(
        out,
        "resilience4j_circuitbreaker_failure_rate",
        "Percent of the calls in the window that failed; -1 while there are too few to tell."
    );
    for (const BreakerFigures& breaker : breakers) {
        add_value(out, breaker.failure_rate, {{"name", breaker.name}});
    }
    begin_gauge(
        out,
        "resilience4j_circuitbreaker_slow_call_rate",
        "Percent of the calls in the window that were slow; -1 while there are too few to tell."
    );
    for (const BreakerFigures& breaker : breakers) {
        add_value(out, breaker.slow_call_rate, {{"name", breaker.name}});
    }
}

}  // namespace

void add_breaker_families(Families& out, std::span<const BreakerFigures> breakers) {
    if (breakers.empty()) return;
    add_states(out, breakers);
    add_calls(out, breakers);
    add_window(out, breakers);
}

}  // namespace firstcome::telemetry
