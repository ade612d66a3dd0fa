// src/app/shard_leader.cpp - the loop of one shard on one node: lead, rebuild, relay, check
#include "app/shard_leader.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <pthread.h>
#include <string>
#include <utility>

namespace firstcome::app {

ShardLeader::ShardLeader(LeaderOptions options, LeaderDuties duties, const base::Clock& clock)
    : options_(options), duties_(std::move(duties)), clock_(clock) {
    FC_ASSERT(duties_.lead && duties_.epoch_is_good);
    FC_ASSERT(duties_.relay && duties_.hurry);
    FC_ASSERT(duties_.conserve && duties_.pending);
}

ShardLeader::~ShardLeader() {
    drain(base::MonotonicTime::min());
}

std::chrono::milliseconds ShardLeader::step() {
    empty_ = false;
    const base::MonotonicTime now = clock_.monotonic();
    if (!leading() && now < ask_at_) {
        return std::chrono::ceil<std::chrono::milliseconds>(ask_at_ - now);
    }
    if (!keep_lead(now)) return options_.ask_again;
    if (!duties_.epoch_is_good()) return rest_until_due(options_.epoch_again);

    const RelayStep relayed = duties_.relay();
    if (relayed.not_ours) return lose_lead(Role::unknown);
    empty_ = relayed.empty;
    if (clock_.monotonic() >= conserve_at_) {
        duties_.conserve();
        conserve_at_ = clock_.monotonic() + options_.conserve_every;
    }
    return relayed.rest.count() == 0 ? relayed.rest : rest_until_due(relayed.rest);
}

/// Asks for the lead, or for whether it is still ours when that was not asked for a while.
bool ShardLeader::keep_lead(base::MonotonicTime now) {
    if (leading() && now < beat_at_) return true;
    const auto ours = duties_.lead();
    if (!ours || !*ours) {
        // A truth that does not answer may have ended our connection, and the lead with it.
        lose_lead(ours ? Role::follows : Role::unknown);
        return false;
    }
    if (!leading()) conserve_at_ = now + options_.conserve_every;
    role_ = Role::leads;
    beat_at_ = now + options_.beat_every;
    return true;
}

std::chrono::milliseconds ShardLeader::lose_lead(Role role) {
    role_ = role;
    ask_at_ = clock_.monotonic() + options_.ask_again;
    return options_.ask_again;
}

std::chrono::milliseconds ShardLeader::rest_until_due(std::chrono::milliseconds at_most) const {
    const auto left = std::min(beat_at_, conserve_at_) - clock_.monotonic();
    return std::clamp(
        std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds{1}, at_most
    );
}

void ShardLeader::start() {
    thread_ = std::thread([this] { run(); });
    const std::string name = "fc-relay-" + std::to_string(options_.shard);
    ::pthread_setname_np(thread_.native_handle(), name.c_str());
}

std::uint64_t ShardLeader::drain(base::MonotonicTime deadline) {
    drain_.set(deadline);
    duties_.hurry(deadline);
    bell_.ring();
    if (thread_.joinable()) thread_.join();
    // Seen empty, ours are all relayed: what has come since is another node's, and so is the lead.
    const bool handed_on = role_ == Role::follows || (role_ == Role::leads && empty_);
    return handed_on ? 0 : duties_.pending();
}

void ShardLeader::run() {
    while (!drain_.has_passed(clock_.monotonic())) {
        const bool draining = drain_.is_set();
        const std::chrono::milliseconds rest = step();
        if (draining && (empty_ || role_ == Role::follows)) return;
        if (rest.count() > 0) bell_.rest(drain_.shorten(rest, clock_.monotonic()));
    }
}

}  // namespace firstcome::app
