// src/resilience/limit_table.hpp - rate limits for millions of keys in a fixed piece of memory
#pragma once

#include "base/time.hpp"
#include "resilience/gcra.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace firstcome::resilience {

/// Open addressing in parts with a lock each. All memory is taken at the start. An entry whose time
/// has passed says no more than none, so a new key simply takes its place: nothing is ever swept,
/// and no call looks at more than `probe_max` entries.
///
/// A key that finds no room shares one limit with the others of its part that found none. That is
/// harder on them and never softer on anybody: no key gets more than its limit, whatever the load.
/// One table serves one policy; the limit may change from call to call (a reload).
///
/// Keys     64-bit hashes, keyed with a secret, so that nobody can aim at a neighbour
/// Memory   16 bytes an entry
/// Thread   any
class LimitTable {
public:
    static constexpr std::size_t probe_max = 64;

    struct Options {
        /// Bound of the memory, at least a megabyte to be of use. 64 MiB: four million keys that
        /// are counted at the same time, two million without crowding.
        std::size_t memory_max_bytes = std::size_t{64} * 1024 * 1024;
    };

    explicit LimitTable(const Options& options);

    /// One more event of the key. A `now` before that of another call counts as that one.
    [[nodiscard]] GcraAnswer check(
        std::uint64_t key, base::MonotonicTime now, const RateLimit& limit
    );

    struct Figures {
        std::size_t entries = 0;         ///< places taken, idle ones included
        std::size_t capacity = 0;        ///< places
        std::uint64_t without_room = 0;  ///< calls whose key shared a limit
    };

    [[nodiscard]] Figures figures() const;
    [[nodiscard]] std::size_t memory_bytes() const;

private:
    static constexpr std::size_t part_count = 64;
    static constexpr std::uint64_t no_key = 0;

    struct Slot {
        std::uint64_t key = no_key;  // never taken
        base::MonotonicTime tat{};
    };

    // Two parts never share a cache line.
    struct alignas(64) Part {
        mutable std::mutex mutex;
        std::vector<Slot> slots;
        std::size_t taken = 0;
        std::uint64_t without_room = 0;
        base::MonotonicTime latest{};      // time does not run back in a part
        base::MonotonicTime shared_tat{};  // of all keys without room
    };

    struct Place {
        Slot* slot = nullptr;  // null: no room
        bool is_own = false;   // the key's entry; else one that may be taken
    };

    [[nodiscard]] static Place find(Part& part, std::uint64_t key);

    std::vector<Part> parts_;
};

}  // namespace firstcome::resilience
