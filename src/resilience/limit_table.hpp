// src/resilience/limit_table.hpp - rate limits for millions of keys in a fixed piece of memory
#pragma once

#include "base/time.hpp"
#include "resilience/gcra.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace firstcome::resilience {

/// Open addressing in parts with a lock each. All memory is reserved at the start, and taken as it
/// fills. An entry whose time has passed says no more than none, so a new key simply takes its
/// place: nothing is ever swept, and no call looks at more than `probe_max` entries.
///
/// A key that finds no room shares one limit with the others of its part that found none. That is
/// harder on them and never softer on anybody: no key gets more than its limit, whatever the load.
/// One table serves one policy; the limit may change from call to call (a reload). What a key has
/// used stays used, but nobody waits longer than for one whole burst of the new limit: a loosened
/// one lets go at once whom the old one had locked out for hours.
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
        /// Keys whose use is noted between two calls of `take_uses`; 0: none is.
        std::size_t uses_max = 0;
    };

    explicit LimitTable(const Options& options);

    /// One more event of the key. A `now` before that of another call counts as that one.
    [[nodiscard]] GcraAnswer check(
        std::uint64_t key, base::MonotonicTime now, const RateLimit& limit
    );

    /// How often a key was allowed.
    struct Use {
        std::uint64_t key = 0;
        std::uint32_t count = 0;
    };

    /// Hands over what was allowed since the last call, of the keys that came back within their
    /// burst's time: somebody who comes once needs no limit, and would crowd out those who do. Of
    /// more keys than `uses_max` the rest is not noted.
    void take_uses(std::vector<Use>& out);

    /// What the key was allowed somewhere else: counts here as if it had been allowed here, also
    /// beyond its limit. Without room for the key it is dropped.
    void charge(const Use& use, base::MonotonicTime now, const RateLimit& limit);

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

    // All zero bytes: never taken.
    struct Slot {
        std::uint64_t key;
        base::MonotonicTime tat;
    };

    struct Unmap {
        std::size_t bytes;
        void operator()(void* memory) const;
    };

    // Two parts never share a cache line.
    struct alignas(64) Part {
        mutable std::mutex mutex;
        Slot* slots = nullptr;  // of slots_
        std::vector<Use> uses;  // by key, open addressing; count 0: free
        RateLimit limit{.interval = std::chrono::nanoseconds{0}, .burst = 0};  // of the last call
        std::size_t taken = 0;
        std::uint64_t without_room = 0;
        base::MonotonicTime latest{};      // time does not run back in a part
        base::MonotonicTime shared_tat{};  // of all keys without room
    };

    struct Place {
        Slot* slot = nullptr;  // null: no room
        bool is_own = false;   // the key's entry; else one that may be taken
    };

    [[nodiscard]] Part& part_of(std::uint64_t key) { return parts_[key % part_count]; }

    [[nodiscard]] Place find(Part& part, std::uint64_t key) const;
    static void note_use(Part& part, std::uint64_t key);
    /// The entries of a part under a limit that may be a new one.
    void follow(Part& part, const RateLimit& limit) const;

    std::size_t slots_per_part_;
    std::unique_ptr<Slot[], Unmap> slots_;  // of all parts, one after the other
    std::vector<Part> parts_;
};

}  // namespace firstcome::resilience
