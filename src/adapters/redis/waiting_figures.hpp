// src/adapters/redis/waiting_figures.hpp - how much of a shard's stream waits, readable anywhere
#pragma once

#include "adapters/redis/reply.hpp"
#include "adapters/redis/stored_order.hpp"
#include "base/time.hpp"
#include "ports/outbox.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace firstcome::redis {

/// Thread   writing: one; reading: any. The two figures may be of two moments.
class WaitingFigures {
public:
    /// `placed`: orders since Redis was empty. No head, or one behind all orders: none waits.
    void set(std::uint64_t placed, const std::optional<EntryHead>& head) {
        const bool waits = head && head->placed_before < placed;
        pending_ = waits ? placed - head->placed_before : 0;
        oldest_ms_ = waits ? head->accepted_at.time_since_epoch().count() : 0;
    }

    /// The reply of acknowledge.lua and of waiting.lua. False: it is none.
    [[nodiscard]] bool read(const Reply& reply) {
        if (reply.items.size() != 2) return false;
        const auto placed = static_cast<std::uint64_t>(reply.items[0].integer);
        set(placed, read_entry_head(reply.items[1].text));
        return true;
    }

    [[nodiscard]] ports::OutboxDepth depth(base::WallTime now) const {
        const std::int64_t oldest = oldest_ms_;
        if (oldest == 0) return {.pending = pending_, .oldest_age = {}};
        const auto age = now.time_since_epoch().count() - oldest;
        return {
            .pending = pending_,
            .oldest_age = std::chrono::milliseconds{std::max<std::int64_t>(1, age)}};
    }

private:
    std::atomic<std::uint64_t> pending_{0};
    std::atomic<std::int64_t> oldest_ms_{0};  // when the oldest one was accepted; 0: none
};

}  // namespace firstcome::redis
