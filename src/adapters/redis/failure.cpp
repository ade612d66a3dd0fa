// src/adapters/redis/failure.cpp - why a command has no answer, as the caller's next move
#include "adapters/redis/failure.hpp"

#include <algorithm>
#include <array>

namespace firstcome::redis {

namespace {

constexpr std::array<std::string_view, 6> passing{
    "LOADING",      // reads its data after a start
    "BUSY",         // a script runs too long
    "CLUSTERDOWN",  // slots without a node
    "TRYAGAIN",     // half of the keys have moved to another node
    "MASTERDOWN",   // a replica that lost its master
    "NOREPLICAS",   // fewer replicas than min-replicas-to-write
};

}  // namespace

CommandError error_of(std::string_view server_text) {
    const bool passes = std::ranges::find(passing, code_of(server_text)) != passing.end() ||
                        server_text.contains("max number of clients");
    return passes ? CommandError::not_sent : CommandError::refused;
}

}  // namespace firstcome::redis
