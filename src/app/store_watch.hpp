// src/app/store_watch.hpp - remembers of each lane whether its store takes orders
#pragma once

#include "ports/observer.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace firstcome::app {

/// Stands between the lanes and whoever counts: passes every report on, and keeps the last fault.
/// A fault is over with the next order that was written: a batch of refusals touches no store.
class StoreWatch final : public ports::Observer {
public:
    StoreWatch(std::size_t lanes, ports::Observer& next);  // next outlives

    void batch_placed(unsigned shard, const ports::BatchReport& report) override;

    /// Of the first lane that has one; nothing: every lane's last write went well.
    ///
    /// Thread   any
    [[nodiscard]] std::optional<ports::LedgerError> fault() const;

private:
    static constexpr std::uint8_t none = 0xFF;

    std::vector<std::atomic<std::uint8_t>> faults_;  // by lane
    ports::Observer& next_;                          // outlives
};

}  // namespace firstcome::app
