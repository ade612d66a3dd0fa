// src/adapters/sqlite/user_chains.hpp - where each user's chain of orders begins
#pragma once

#include "base/flat_table.hpp"

#include <cstdint>
#include <mutex>
#include <span>

namespace firstcome::sqlite {

/// User hash -> high half of the newest order. Two users with one hash share a chain; readers skip
/// the other's rows, so a collision costs time and nothing else.
///
/// Memory   20 to 30 bytes a user
/// Thread   any; the lane writes once per batch
class UserChains {
public:
    struct Link {
        std::uint64_t user_hash = 0;
        std::uint64_t order_high = 0;
    };

    /// 0: the user has no order.
    [[nodiscard]] std::uint64_t newest(std::uint64_t user_hash) const {
        const std::lock_guard lock{mutex_};
        const std::uint64_t* high = newest_.find(user_hash);
        return high == nullptr ? 0 : *high;
    }

    /// Fills in `order_high` of each link with the user's newest order.
    void newest(std::span<Link> links) const {
        const std::lock_guard lock{mutex_};
        for (Link& link : links) {
            const std::uint64_t* high = newest_.find(link.user_hash);
            link.order_high = high == nullptr ? 0 : *high;
        }
    }

    /// From now on each of these is its user's newest; of two of one user the later counts.
    void publish(std::span<const Link> links) {
        const std::lock_guard lock{mutex_};
        for (const Link& link : links) newest_.find_or_add(link.user_hash) = link.order_high;
    }

    /// Soon asked for. Thread: the lane, while nobody else writes
    void prefetch(std::uint64_t user_hash) const { newest_.prefetch(user_hash); }

    [[nodiscard]] std::size_t memory_bytes() const {
        const std::lock_guard lock{mutex_};
        return newest_.memory_bytes();
    }

private:
    mutable std::mutex mutex_;
    base::FlatTable<std::uint64_t> newest_;
};

}  // namespace firstcome::sqlite
