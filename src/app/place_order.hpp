// src/app/place_order.hpp - admits an order to its shard's lane, or sheds it at once
// stop 4 of 7 on the path of one order
#pragma once

#include "app/order_lane.hpp"
#include "domain/types.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace firstcome::app {

/// Why an order was not even queued; the buyer is told to wait (503 please_wait).
enum class Shed : std::uint8_t {
    overloaded,  // as many wait in the lane as may
    draining,    // the service is going down
    too_late,    // its turn would come after its deadline
};
[[nodiscard]] std::string_view name(Shed why);

/// Where an item's orders are decided: a hash that never changes, since it names the file they are
/// stored in.
[[nodiscard]] unsigned shard_of(const domain::ItemId& item, std::size_t shards);

class PlaceOrder {
public:
    /// `lanes` outlive this; lane i is shard i.
    explicit PlaceOrder(std::vector<OrderLane*> lanes);

    /// Enqueues the order. Nothing: queued, and its sink gets exactly one answer. Else why not.
    ///
    /// Thread   any
    [[nodiscard]] std::optional<Shed> submit(Placement&& placement);

    /// From now on everything is shed as `draining`.
    void drain() { draining_.store(true, std::memory_order_relaxed); }

    [[nodiscard]] std::uint64_t shed_count() const { return shed_.load(std::memory_order_relaxed); }

private:
    [[nodiscard]] Shed shed(Shed why);

    std::vector<OrderLane*> lanes_;
    std::atomic<bool> draining_{false};
    std::atomic<std::uint64_t> shed_{0};
};

}  // namespace firstcome::app
