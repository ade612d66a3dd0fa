// src/adapters/redis/handshake.cpp - is this server's memory the one that decides now?
#include "adapters/redis/handshake.hpp"

#include "adapters/redis/check.hpp"
#include "adapters/redis/server.hpp"
#include "telemetry/log.hpp"

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
    const bool same = life_ && life_->generation == connection_.generation();
    if (same && !is_superseded(life_->epoch)) return *life_;
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

void Handshake::look_again() {
    if (!life_) return;
    const auto info = connection_.command(
        {"INFO", "server", "replication", "memory"}, {.generation = life_->generation}
    );
    if (info) {
        const Server server = server_of(connection_.server().address, info->text);
        if (server.life() == life_->epoch.run_id && is_fit(server)) return;
    }
    connection_.close();
    doubt();
}

bool Handshake::is_superseded(const ports::Epoch& epoch) const {
    return options_.newest != nullptr && options_.newest->number() > epoch.number;
}

// While the truth does not answer, what it said last counts, to whomever of this node: nobody can
// have begun another epoch without it, unless it is only we who are cut off; then what is sold here
// never becomes true, and no unit is sold twice.
std::expected<Life, LedgerError> Handshake::compare() {
    if (auto recorded = record_.epoch(keys_.shard)) {
        recorded_ = *recorded;
        if (options_.newest != nullptr) options_.newest->heard(recorded_->number);
    }
    if (!recorded_) return std::unexpected(LedgerError::unavailable);
    if (is_superseded(*recorded_)) return std::unexpected(LedgerError::rebuilding);
    if (recorded_->number == 0) return std::unexpected(LedgerError::rebuilding);
    // What a server said of itself is as old as the connection.
    const Server& said = connection_.server();
    if (recorded_->run_id != said.life() || !complaint_about(said).empty()) connection_.close();
    if (!connection_.connect()) return std::unexpected(LedgerError::unavailable);
    if (!is_fit(connection_.server())) return std::unexpected(LedgerError::unavailable);
    if (recorded_->run_id != connection_.server().life()) {
        return std::unexpected(LedgerError::rebuilding);
    }
    Life life{
        .epoch = *recorded_,
        .number = std::to_string(recorded_->number),
        .generation = connection_.generation()};
    const auto there = connection_.command({"GET", keys_.epoch}, {.generation = life.generation});
    if (!there) return std::unexpected(LedgerError::unavailable);
    if (!there->says(life.number)) return std::unexpected(LedgerError::rebuilding);
    return life;
}

// A replica that was promoted, or a server whose settings were changed, may be one that would have
// been refused at start.
bool Handshake::is_fit(const Server& server) {
    const std::string complaint = complaint_about(server);
    if (!complaint.empty() && complaint != complaint_) {
        log::error(complaint, {{"shard", keys_.shard}});
    }
    complaint_ = complaint;
    return complaint.empty();
}

}  // namespace firstcome::redis
