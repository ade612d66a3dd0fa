// src/app/place_order.cpp - admits an order to its shard's lane, or sheds it at once
#include "app/place_order.hpp"

#include "base/assert.hpp"

#include <utility>

namespace firstcome::app {

std::string_view name(Shed why) {
    switch (why) {
        case Shed::overloaded: return "overloaded";
        case Shed::draining: return "draining";
        case Shed::too_late: return "too_late";
    }
    FC_UNREACHABLE();
}

unsigned shard_of(const domain::ItemId& item, std::size_t shards) {
    FC_ASSERT(shards > 0);
    // FNV-1a: written down here, because the answer is kept on disk and must never change.
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : item.text()) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return static_cast<unsigned>(hash % shards);
}

PlaceOrder::PlaceOrder(std::vector<OrderLane*> lanes) : lanes_(std::move(lanes)) {
    FC_ASSERT(!lanes_.empty());
}

std::optional<Shed> PlaceOrder::submit(Placement&& placement) {
    if (draining_.load(std::memory_order_relaxed)) return shed(Shed::draining);
    OrderLane& lane = *lanes_[shard_of(placement.request.item, lanes_.size())];
    const bool hopeless = placement.deadline != base::MonotonicTime::max() &&
                          lane.expected_turn() > placement.deadline;
    if (!hopeless && lane.submit(std::move(placement))) return std::nullopt;
    return shed(hopeless ? Shed::too_late : Shed::overloaded);
}

Shed PlaceOrder::shed(Shed why) {
    shed_.fetch_add(1, std::memory_order_relaxed);
    return why;
}

}  // namespace firstcome::app
