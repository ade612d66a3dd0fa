// src/ports/breaker_board.hpp - the port through which an operator sees and turns circuit breakers
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::ports {

/// The states in the order of their numbers.
///
/// Source   Resilience4j, CircuitBreaker.State
inline constexpr std::array<std::string_view, 6> breaker_states{
    "CLOSED", "OPEN", "HALF_OPEN", "DISABLED", "FORCED_OPEN", "METRICS_ONLY"};

/// Calls of one kind since the start, and how long they took in all.
struct BreakerCalls {
    std::uint64_t count = 0;
    std::chrono::nanoseconds took{};
};

/// Names and meanings as in Resilience4j; `buffered`: in the window that decides.
struct BreakerFigures {
    std::string name;            ///< `redis`, `postgres`, `webhook`
    std::string_view state;      ///< one of `breaker_states`
    double failure_rate = -1;    ///< percent; -1: too few calls to tell
    double slow_call_rate = -1;  ///< percent; -1: too few calls to tell
    std::uint64_t buffered_calls = 0;
    std::uint64_t failed_calls = 0;         ///< of the buffered ones
    std::uint64_t slow_calls = 0;           ///< of the buffered ones
    std::uint64_t slow_failed_calls = 0;    ///< of the buffered ones
    std::uint64_t not_permitted_calls = 0;  ///< since the last change of state
    std::uint64_t not_permitted_total = 0;
    BreakerCalls successful;
    BreakerCalls failed;
    BreakerCalls ignored;
};

enum class BreakerCommand : std::uint8_t {
    open,   // nothing is asked any more until somebody closes it
    close,  // asks again, with an empty window; nothing happens to one that is closed
    reset,  // the same, and a closed one forgets its window
};
[[nodiscard]] std::string_view name(BreakerCommand command);

struct BreakerTurned {
    std::string_view before;  ///< one of `breaker_states`
    BreakerFigures after;
};

/// Thread   any
class BreakerBoard {
public:
    BreakerBoard() = default;
    BreakerBoard(const BreakerBoard&) = delete;
    BreakerBoard& operator=(const BreakerBoard&) = delete;
    virtual ~BreakerBoard() = default;

    /// All of them, always in the same order.
    [[nodiscard]] virtual std::vector<BreakerFigures> breakers() const = 0;

    /// Nothing: no such breaker.
    [[nodiscard]] virtual std::optional<BreakerTurned> turn(
        std::string_view name, BreakerCommand command
    ) = 0;
};

}  // namespace firstcome::ports
