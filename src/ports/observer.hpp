// src/ports/observer.hpp - where the lane tells what happened; counted elsewhere
#pragma once

#include "domain/order.hpp"
#include "ports/order_ledger.hpp"

#include <chrono>
#include <cstddef>
#include <expected>
#include <span>

namespace firstcome::ports {

/// One batch's story, told once per batch so that counting costs next to nothing per order.
struct BatchReport {
    std::span<const domain::Outcome> outcomes;  ///< empty when the ledger failed
    std::size_t size = 0;                       ///< orders
    std::expected<void, LedgerError> result;
    std::chrono::nanoseconds queue_wait_oldest{};  ///< of the batch's first order
    std::chrono::nanoseconds place_time{};         ///< decide, write and sync of the whole batch
    std::size_t queue_depth = 0;                   ///< orders that came in meanwhile
};

class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    /// Thread   the lane of `shard`
    virtual void batch_placed(unsigned shard, const BatchReport& report) = 0;
};

}  // namespace firstcome::ports
