// src/resilience/limit_table.cpp - finds a key's entry, or one nobody needs any more
#include "resilience/limit_table.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <sys/mman.h>

namespace firstcome::resilience {

namespace {

constexpr std::size_t use_probe_max = 8;

/// How far in the future a charge may put a key: what another node tells is bounded too.
constexpr std::chrono::hours debt_max{24};
constexpr std::uint32_t charge_max = 1'000'000;

}  // namespace

LimitTable::LimitTable(const Options& options) : slots_per_part_(0), parts_(part_count) {
    const std::size_t uses = options.uses_max / part_count;
    const std::size_t fixed = sizeof(*this) + part_count * (sizeof(Part) + uses * sizeof(Use));
    FC_ASSERT(options.memory_max_bytes > fixed);
    slots_per_part_ = (options.memory_max_bytes - fixed) / sizeof(Slot) / part_count;
    FC_ASSERT(slots_per_part_ > 0);
    // From the kernel itself, which gives a page of zeros when it is first touched: what the
    // allocator has at hand it would have to clear, and so to touch.
    const std::size_t bytes = part_count * slots_per_part_ * sizeof(Slot);
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    FC_ASSERT(memory != MAP_FAILED);
    slots_ = {static_cast<Slot*>(memory), Unmap{bytes}};
    for (std::size_t part = 0; part < part_count; ++part) {
        parts_[part].slots = slots_.get() + part * slots_per_part_;
        parts_[part].uses.resize(uses);
    }
}

void LimitTable::Unmap::operator()(void* memory) const {
    const int unmapped = ::munmap(memory, bytes);
    FC_ASSERT(unmapped == 0);
}

GcraAnswer LimitTable::check(std::uint64_t key, base::MonotonicTime now, const RateLimit& limit) {
    if (key == no_key) key = 1;
    Part& part = part_of(key);
    const std::lock_guard lock{part.mutex};
    part.latest = std::max(part.latest, now);
    if (part.limit != limit) follow(part, limit);
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
    const bool came_back = is_own && slot->tat + limit.interval * limit.burst > part.latest;
    if (came_back && !part.uses.empty()) note_use(part, key);
    if (slot->key == no_key) ++part.taken;
    *slot = {.key = key, .tat = answer.tat};
    return answer;
}

// A few thousand entries, once for each change: cheaper than to keep with each entry the limit it
// was made under. Not in `resilience::check`, since there it would forgive at every call what other
// nodes have charged beyond the burst.
void LimitTable::follow(Part& part, const RateLimit& limit) const {
    part.limit = limit;
    if (part.taken == 0) return;
    const auto latest_tat = part.latest + limit.interval * limit.burst;
    for (std::size_t at = 0; at < slots_per_part_; ++at) {
        Slot& slot = part.slots[at];
        if (slot.tat > latest_tat) slot.tat = latest_tat;
    }
    part.shared_tat = std::min(part.shared_tat, latest_tat);
}

void LimitTable::note_use(Part& part, std::uint64_t key) {
    const std::size_t size = part.uses.size();
    std::size_t at = (key / part_count) % size;
    for (std::size_t step = 0; step < std::min(use_probe_max, size); ++step) {
        Use& use = part.uses[at];
        if (use.count == 0) use.key = key;
        if (use.key == key) {
            ++use.count;
            return;
        }
        at = at + 1 == size ? 0 : at + 1;
    }
}

void LimitTable::take_uses(std::vector<Use>& out) {
    for (Part& part : parts_) {
        const std::lock_guard lock{part.mutex};
        for (Use& use : part.uses) {
            if (use.count > 0) out.push_back(use);
            use = {};
        }
    }
}

void LimitTable::charge(const Use& use, base::MonotonicTime now, const RateLimit& limit) {
    const std::uint64_t key = use.key == no_key ? 1 : use.key;
    Part& part = part_of(key);
    const std::lock_guard lock{part.mutex};
    part.latest = std::max(part.latest, now);
    if (part.limit != limit) follow(part, limit);
    const auto [slot, is_own] = find(part, key);
    if (slot == nullptr) return;
    const auto from = std::max(is_own ? slot->tat : part.shared_tat, part.latest);
    const auto to = from + limit.interval * std::min(use.count, charge_max);
    if (slot->key == no_key) ++part.taken;
    // The bound keeps others' word from locking somebody out; it forgives no debt that is there.
    *slot = {.key = key, .tat = std::max(from, std::min(to, part.latest + debt_max))};
}

// A place once taken is never empty again, only taken over; so a key is before the first empty
// place, or nowhere.
LimitTable::Place LimitTable::find(Part& part, std::uint64_t key) const {
    const std::size_t size = slots_per_part_;
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
        sum.capacity += slots_per_part_;
        sum.without_room += part.without_room;
    }
    return sum;
}

std::size_t LimitTable::memory_bytes() const {
    std::size_t total = sizeof(*this) + parts_.capacity() * sizeof(Part);
    for (const Part& part : parts_) {
        total += slots_per_part_ * sizeof(Slot) + part.uses.capacity() * sizeof(Use);
    }
    return total;
}

}  // namespace firstcome::resilience
