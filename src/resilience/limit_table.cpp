// src/resilience/limit_table.cpp - finds a key's entry, or one nobody needs any more
#include "resilience/limit_table.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace firstcome::resilience {

LimitTable::LimitTable(const Options& options) : parts_(part_count) {
    const std::size_t fixed = sizeof(*this) + part_count * sizeof(Part);
    FC_ASSERT(options.memory_max_bytes > fixed);
    const std::size_t slots = (options.memory_max_bytes - fixed) / sizeof(Slot) / part_count;
    FC_ASSERT(slots > 0);
    for (Part& part : parts_) part.slots.resize(slots);
}

GcraAnswer LimitTable::check(std::uint64_t key, base::MonotonicTime now, const RateLimit& limit) {
    if (key == no_key) key = 1;
    Part& part = parts_[key % part_count];
    const std::lock_guard lock{part.mutex};
    part.latest = std::max(part.latest, now);
    const auto [slot, is_own] = find(part, key);
    // A key that has its own entry now may have gone without before: what it used then is in the
    // shared time, so it begins there.
    const auto tat = is_own ? slot->tat : part.shared_tat;
    const GcraAnswer answer = resilience::check(tat, part.latest, limit);
    if (slot == nullptr) ++part.without_room;
    if (!answer.allowed) return answer;
    if (slot == nullptr) {
        part.shared_tat = answer.tat;
        return answer;
    }
    if (slot->key == no_key) ++part.taken;
    *slot = {.key = key, .tat = answer.tat};
    return answer;
}

// A place once taken is never empty again, only taken over; so a key is before the first empty
// place, or nowhere.
LimitTable::Place LimitTable::find(Part& part, std::uint64_t key) {
    const std::size_t size = part.slots.size();
    __extension__ using Wide = unsigned __int128;
    // The upper bits choose the place (the lower ones chose the part), scaled to any size.
    std::size_t at = static_cast<std::size_t>((static_cast<Wide>(key) * size) >> 64U);
    Place free;
    for (std::size_t step = 0; step < std::min(probe_max, size); ++step) {
        Slot& slot = part.slots[at];
        if (slot.key == key) return {.slot = &slot, .is_own = true};
        if (free.slot == nullptr && slot.tat <= part.latest) free.slot = &slot;
        if (slot.key == no_key) return free;
        at = at + 1 == size ? 0 : at + 1;
    }
    return free;
}

LimitTable::Figures LimitTable::figures() const {
    Figures sum;
    for (const Part& part : parts_) {
        const std::lock_guard lock{part.mutex};
        sum.entries += part.taken;
        sum.capacity += part.slots.size();
        sum.without_room += part.without_room;
    }
    return sum;
}

std::size_t LimitTable::memory_bytes() const {
    std::size_t total = sizeof(*this) + parts_.capacity() * sizeof(Part);
    for (const Part& part : parts_) total += part.slots.capacity() * sizeof(Slot);
    return total;
}

}  // namespace firstcome::resilience
