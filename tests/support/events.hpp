// tests/support/events.hpp - accepted orders as events, as an outbox would give them
#pragma once

#include "domain/event.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <optional>
#include <string_view>

namespace firstcome::test {

struct Bought {
    std::string_view user = "ann";
    std::string_view item = "shoe";
    std::int32_t quantity = 1;
    std::optional<std::string_view> key = std::nullopt;
};

/// Accepts in its own line: sequences rise per maker, so one maker an item.
class EventMaker {
public:
    explicit EventMaker(unsigned shard = 0, std::uint64_t seed = 1)
        : entropy_(seed), ids_(shard, 0, entropy_) {}

    domain::Event accepted(const Bought& bought, domain::WallTime at) {
        domain::Event event;
        event.id = ids_.next(at);
        event.position = std::to_string(sequence_ + 1) + "-0";
        event.order = {
            .id = event.id,
            .user = user(bought.user),
            .item = item(bought.item),
            .quantity = bought.quantity,
            .sequence = ++sequence_,
            .accepted_at = at,
            .durability = domain::Durability::redis};
        if (bought.key) event.key = hash_.hash128(bought.user, *bought.key);
        event.trace = {.trace_high = 1, .trace_low = sequence_, .span = 3, .sampled = true};
        event.occurred_at = at;
        return event;
    }

    [[nodiscard]] const base::KeyedHash& hash() const { return hash_; }

private:
    SeededEntropy entropy_;
    domain::OrderIdMaker ids_;
    base::KeyedHash hash_{base::KeyedHash::new_secret(entropy_)};
    domain::Sequence sequence_ = 0;
};

}  // namespace firstcome::test
