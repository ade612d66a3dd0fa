// src/adapters/redis/handshake.cpp - is this server's memory the one that decides now?
#include "adapters/redis/handshake.hpp"

namespace firstcome::redis {

using ports::LedgerError;

Handshake::Handshake(
    Options options,
    const ShardKeys& keys,
    Connection& connection,
    ports::SystemOfRecord& record,
    const base::Clock& clock
)
    : options_(options), keys_(keys), connection_(connection), record_(record), clock_(clock) {}

std::expected<Life, LedgerError> Handshake::greet() {
    if (!connection_.connect()) return std::unexpected(LedgerError::unavailable);
    if (life_ && life_->generation == connection_.generation()) return *life_;
    life_.reset();
    const auto now = clock_.monotonic();
    if (now < ask_at_) return std::unexpected(refusal_);
    auto found = compare();
    if (found) {
        life_ = *found;
    } else {
        refusal_ = found.error();
        ask_at_ = now + options_.ask_again;
    }
    return found;
}

void Handshake::doubt() {
    life_.reset();
    ask_at_ = {};
}

// While the truth does not answer, what it said last counts: nobody can have begun another epoch
// without it, unless it is only we who are cut off; then what is sold here never becomes true, and
// no unit is sold twice.
std::expected<Life, LedgerError> Handshake::compare() {
    if (auto recorded = record_.epoch(keys_.shard)) recorded_ = *recorded;
    if (!recorded_) return std::unexpected(LedgerError::unavailable);
    Life life{
        .epoch = *recorded_,
        .number = std::to_string(recorded_->number),
        .generation = connection_.generation()};
    if (life.epoch.number == 0 || life.epoch.run_id != connection_.server().run_id) {
        return std::unexpected(LedgerError::rebuilding);
    }
    const auto there = connection_.command({"GET", keys_.epoch}, {.generation = life.generation});
    if (!there) return std::unexpected(LedgerError::unavailable);
    if (!there->says(life.number)) return std::unexpected(LedgerError::rebuilding);
    return life;
}

}  // namespace firstcome::redis
