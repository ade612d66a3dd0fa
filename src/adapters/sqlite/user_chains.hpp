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
        for (std::size_t i = 0; i < links.size(); ++i) {
            if (i + ahead < links.size()) newest_.prefetch(links[i + ahead].user_hash);
            const std::uint64_t* high = newest_.find(links[i].user_hash);
            links[i].order_high = high == nullptr ? 0 : *high;
        }
    }

    /// From now on each of these is its user's newest; of two of one user the later counts.
    void publish(std::span<const Link> links) {
        const std::lock_guard lock{mutex_};
        for (std::size_t i = 0; i < links.size(); ++i) {
            if (i + ahead < links.size()) newest_.prefetch(links[i + ahead].user_hash);
            newest_.find_or_add(links[i].user_hash) = links[i].order_high;
        }
    }

    /// An order of the file, and the one it names as its user's before.
    struct Step {
        std::uint64_t user_hash = 0;
        std::uint64_t order_high = 0;
        std::uint64_t previous = 0;
    };

    /// For the start: makes each of these its user's newest, in turn. The first that does not name
    /// the newest before it is returned, and nothing behind it was done; nullptr: all were.
    [[nodiscard]] const Step* extend(std::span<const Step> steps) {
        const std::lock_guard lock{mutex_};
        for (std::size_t i = 0; i < steps.size(); ++i) {
            if (i + ahead < steps.size()) newest_.prefetch(steps[i + ahead].user_hash);
            std::uint64_t& newest = newest_.find_or_add(steps[i].user_hash);
            if (newest != steps[i].previous) return &steps[i];
            newest = steps[i].order_high;
        }
        return nullptr;
    }

    [[nodiscard]] std::size_t memory_bytes() const {
        const std::lock_guard lock{mutex_};
        return newest_.memory_bytes();
    }

private:
    // So many entries early a place is fetched: longer than memory takes, short enough to stay.
    static constexpr std::size_t ahead = 16;

    mutable std::mutex mutex_;
    base::FlatTable<std::uint64_t> newest_;
};

}  // namespace firstcome::sqlite
