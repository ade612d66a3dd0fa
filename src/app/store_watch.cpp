// src/app/store_watch.cpp - remembers of each lane whether its store takes orders
#include "app/store_watch.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace firstcome::app {

namespace {

bool wrote_an_order(const ports::BatchReport& report) {
    return std::ranges::any_of(report.outcomes, [](const domain::Outcome& outcome) {
        const auto* accepted = std::get_if<domain::Accepted>(&outcome);
        return accepted != nullptr && !accepted->replayed;
    });
}

}  // namespace

StoreWatch::StoreWatch(std::size_t lanes, ports::Observer& next) : faults_(lanes), next_(next) {
    for (auto& fault : faults_) fault.store(none);
}

void StoreWatch::batch_placed(unsigned shard, const ports::BatchReport& report) {
    FC_ASSERT(shard < faults_.size());
    std::atomic<std::uint8_t>& fault = faults_[shard];
    if (!report.result) {
        fault.store(std::to_underlying(report.result.error()), std::memory_order_relaxed);
    } else if (fault.load(std::memory_order_relaxed) != none && wrote_an_order(report)) {
        fault.store(none, std::memory_order_relaxed);
    }
    next_.batch_placed(shard, report);
}

std::optional<ports::LedgerError> StoreWatch::fault() const {
    for (const auto& each : faults_) {
        const std::uint8_t fault = each.load(std::memory_order_relaxed);
        if (fault != none) return static_cast<ports::LedgerError>(fault);
    }
    return std::nullopt;
}

}  // namespace firstcome::app
