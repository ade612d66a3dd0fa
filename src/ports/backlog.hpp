// src/ports/backlog.hpp - what waits on its way out and what was refused: metrics, health, figures
#pragma once

#include "ports/dead_letters.hpp"
#include "ports/outbox.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::ports {

/// One line of events. `orders`: a lane's, from Redis to PostgreSQL (distributed mode). `webhook`:
/// to the shop, one for all lanes. Of the whole service, so every node tells the same.
struct WaitingLine {
    std::string_view stage;  ///< `orders`, `webhook`
    unsigned lane = 0;       ///< of `orders`; 0 for the others
    OutboxDepth depth;
};

/// Entries since this node's start.
struct DeadLetterCount {
    std::string_view action;  ///< `parked`, or a DeskAction's name
    Cause cause = Cause::invalid;
    std::uint64_t count = 0;
};

/// As last known: while a store is away, figures stay and ages grow.
struct Backlog {
    std::vector<WaitingLine> waiting;  ///< all lines there are, those with nothing too

    std::uint64_t retrying = 0;               ///< dead letters that are tried again
    std::uint64_t dead = 0;                   ///< those that wait for a person
    std::chrono::milliseconds oldest_age{};   ///< of both, since the first failure; 0: none
    std::map<Cause, std::uint64_t> by_cause;  ///< of both; those that are not 0
    std::vector<DeadLetterCount> counted;     ///< each action with each cause, zeros too
};

}  // namespace firstcome::ports
