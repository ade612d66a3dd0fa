// src/ports/breaker_board.cpp - the one spelling of what can be done to a circuit breaker
#include "ports/breaker_board.hpp"

#include "base/assert.hpp"

namespace firstcome::ports {

std::string_view name(BreakerCommand command) {
    switch (command) {
        case BreakerCommand::open: return "open";
        case BreakerCommand::close: return "close";
        case BreakerCommand::reset: return "reset";
    }
    FC_UNREACHABLE();
}

}  // namespace firstcome::ports
