// src/base/flat_table.hpp - a compact map from 64-bit hashes, for millions of entries
#pragma once

#include "base/assert.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace firstcome::base {

/// Open addressing with linear probing, split into parts that grow one at a time: no entry costs an
/// allocation, and no single insert has to move everything. Keys are taken as already well mixed.
///
/// Memory   sizeof(Entry) / load, load between 0.53 and 0.8
/// Thread   the owner's only
template <typename Value>
class FlatTable {
public:
    struct Entry {
        std::uint64_t key = empty;
        Value value{};
    };

    /// Nothing: nullptr. The pointer is good until the next insert or erase.
    [[nodiscard]] Value* find(std::uint64_t key) {
        key = stored(key);
        Part& part = part_of(key);
        if (part.slots.empty()) return nullptr;
        for (std::size_t at = home(part, key);; at = next(part, at)) {
            if (part.slots[at].key == key) return &part.slots[at].value;
            if (part.slots[at].key == empty) return nullptr;
        }
    }

    [[nodiscard]] const Value* find(std::uint64_t key) const {
        return const_cast<FlatTable*>(this)->find(key);  // NOLINT: the search changes nothing
    }

    /// The value under the key, made with Value{} if there was none. `may_go(value)` says which
    /// entries are no longer needed; they are dropped before a part grows.
    template <typename MayGo>
    Value& find_or_add(std::uint64_t key, MayGo may_go) {
        if (Value* value = find(key)) return *value;
        key = stored(key);
        Part& part = part_of(key);
        if (part.slots.empty() || part.used + 1 > limit(part)) make_room(part, may_go);
        return add(part, key);
    }

    Value& find_or_add(std::uint64_t key) {
        return find_or_add(key, [](const Value&) { return false; });
    }

    /// Soon asked for: brings its place nearer. Worth it where keys are known some time ahead.
    void prefetch(std::uint64_t key) const {
        key = stored(key);
        const Part& part = parts_[part_index(key)];
        if (!part.slots.empty()) __builtin_prefetch(&part.slots[home(part, key)]);
    }

    /// True: it was there.
    bool erase(std::uint64_t key) {
        key = stored(key);
        Part& part = part_of(key);
        if (part.slots.empty()) return false;
        std::size_t at = home(part, key);
        while (part.slots[at].key != key) {
            if (part.slots[at].key == empty) return false;
            at = next(part, at);
        }
        close_gap(part, at);
        --part.used;
        return true;
    }

    [[nodiscard]] std::size_t size() const {
        std::size_t total = 0;
        for (const Part& part : parts_) total += part.used;
        return total;
    }

    [[nodiscard]] std::size_t memory_bytes() const {
        std::size_t total = sizeof(*this);
        for (const Part& part : parts_) total += part.slots.capacity() * sizeof(Entry);
        return total;
    }

    void clear() { parts_ = {}; }

    static constexpr std::size_t part_count = 256;

    /// Where a key's entry lies, 0..part_count-1. The entries of a part lie together: a part stays
    /// in the caches where a table of millions does not, so very many are best added part by part.
    static std::size_t part_index(std::uint64_t key) { return key % part_count; }

private:
    static constexpr std::uint64_t empty = 0;
    static constexpr std::size_t first_capacity = 8;

    struct Part {
        std::vector<Entry> slots;
        std::size_t used = 0;
    };

    static std::uint64_t stored(std::uint64_t key) { return key == empty ? 1 : key; }

    Part& part_of(std::uint64_t key) { return parts_[part_index(key)]; }

    // The upper bits choose the slot (the lower ones chose the part), scaled to any capacity.
    static std::size_t home(const Part& part, std::uint64_t key) {
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::size_t>((static_cast<Wide>(key) * part.slots.size()) >> 64U);
    }

    static std::size_t next(const Part& part, std::size_t at) {
        return at + 1 == part.slots.size() ? 0 : at + 1;
    }

    static std::size_t limit(const Part& part) { return part.slots.size() * 4 / 5; }

    static Value& add(Part& part, std::uint64_t key) {
        std::size_t at = home(part, key);
        while (part.slots[at].key != empty) at = next(part, at);
        part.slots[at].key = key;
        ++part.used;
        FC_ASSERT(part.used < part.slots.size());
        return part.slots[at].value;
    }

    template <typename MayGo>
    static void make_room(Part& part, MayGo& may_go) {
        std::vector<Entry> old = std::exchange(part.slots, {});
        std::size_t staying = 0;
        for (const Entry& entry : old) {
            if (entry.key != empty && !may_go(entry.value)) ++staying;
        }
        std::size_t capacity = old.empty() ? first_capacity : old.size();
        while (staying + 1 > capacity * 2 / 3) capacity += capacity / 2;
        part.slots.resize(capacity);
        part.used = 0;
        for (Entry& entry : old) {
            if (entry.key == empty || may_go(entry.value)) continue;
            add(part, entry.key) = std::move(entry.value);
        }
    }

    // Moves later entries of the run back, so that no search ever needs a tombstone.
    static void close_gap(Part& part, std::size_t gap) {
        std::size_t at = next(part, gap);
        while (part.slots[at].key != empty) {
            const std::size_t wanted = home(part, part.slots[at].key);
            const bool stays =
                gap < at ? (gap < wanted && wanted <= at) : (gap < wanted || wanted <= at);
            if (!stays) {
                part.slots[gap] = std::move(part.slots[at]);
                gap = at;
            }
            at = next(part, at);
        }
        part.slots[gap] = Entry{};
    }

    std::array<Part, part_count> parts_;
};

}  // namespace firstcome::base
