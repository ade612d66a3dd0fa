// src/domain/idempotency.hpp - same key, same answer: which order a key was accepted with
#pragma once

#include "base/flat_table.hpp"
#include "base/time.hpp"
#include "domain/types.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace firstcome::domain {

/// The keys of accepted orders, each for its lifetime. Whether the payload is the same is told by
/// the order itself, so nothing more is kept. Refusals are never remembered.
///
/// Memory   40 to 60 bytes a key
/// Thread   the shard's lane
/// Source   ADR-0005; lifetimes on the monotonic clock, so a stepped wall clock expires nothing
class RememberedKeys {
public:
    /// The `high` half of the order the key was accepted with.
    [[nodiscard]] std::optional<std::uint64_t> find(const KeyHash& key, base::MonotonicTime now)
        const;

    /// Keeps the key until `expires`, in whole seconds, rounded up. It is not remembered now.
    void remember(
        const KeyHash& key,
        std::uint64_t order_high,
        base::MonotonicTime expires,
        base::MonotonicTime now
    );

    /// The same at start, reading orders in the order they came: of two with one key (used again
    /// after a lifetime that was shorter then) the later counts.
    void restore(
        const KeyHash& key,
        std::uint64_t order_high,
        base::MonotonicTime expires,
        base::MonotonicTime now
    );

    /// Soon asked for: brings its place in memory nearer.
    void prefetch(const KeyHash& key) const { records_.prefetch(key.low); }

    /// As if it had never been remembered: its batch was not made durable.
    void forget(const KeyHash& key);

    [[nodiscard]] std::size_t size() const { return records_.size(); }

    [[nodiscard]] std::size_t memory_bytes() const { return records_.memory_bytes(); }

private:
    struct Record {
        std::uint64_t key_high = 0;
        std::uint64_t order_high = 0;
        std::uint32_t expires = 0;  // seconds of the monotonic clock
    };

    [[nodiscard]] Record& record_of(const KeyHash& key, base::MonotonicTime now);

    base::FlatTable<Record> records_;  // under the low half of the key
};

}  // namespace firstcome::domain
