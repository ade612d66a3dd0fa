// src/domain/idempotency.cpp - same key, same answer: which order a key was accepted with
#include "domain/idempotency.hpp"

#include "base/assert.hpp"

namespace firstcome::domain {

namespace {

// The monotonic clock counts from the machine's start, so 32 bits of seconds last for 136 years.
std::uint32_t whole_seconds(base::MonotonicTime time) {
    return static_cast<std::uint32_t>(
        std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count()
    );
}

}  // namespace

std::optional<std::uint64_t> RememberedKeys::find(const KeyHash& key, base::MonotonicTime now)
    const {
    const Record* record = records_.find(key.low);
    if (record == nullptr || record->key_high != key.high) return std::nullopt;
    if (record->expires <= whole_seconds(now)) return std::nullopt;
    return record->order_high;
}

void RememberedKeys::remember(
    const KeyHash& key,
    std::uint64_t order_high,
    base::MonotonicTime expires,
    base::MonotonicTime now
) {
    Record& record = record_of(key, now);
    FC_ASSERT(record.key_high != key.high || record.expires <= whole_seconds(now));
    record = {
        .key_high = key.high, .order_high = order_high, .expires = whole_seconds(expires) + 1};
}

void RememberedKeys::restore(
    const KeyHash& key,
    std::uint64_t order_high,
    base::MonotonicTime expires,
    base::MonotonicTime now
) {
    Record& record = record_of(key, now);
    FC_ASSERT(record.order_high < order_high);
    record = {
        .key_high = key.high, .order_high = order_high, .expires = whole_seconds(expires) + 1};
}

RememberedKeys::Record& RememberedKeys::record_of(const KeyHash& key, base::MonotonicTime now) {
    const std::uint32_t now_seconds = whole_seconds(now);
    const auto expired = [now_seconds](const Record& record) {
        return record.expires <= now_seconds;
    };
    return records_.find_or_add(key.low, expired);
}

void RememberedKeys::forget(const KeyHash& key) {
    const bool was_there = records_.erase(key.low);
    FC_ASSERT(was_there);
}

}  // namespace firstcome::domain
