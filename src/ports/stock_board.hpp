// src/ports/stock_board.hpp - each item's figures as of its last durable batch
#pragma once

#include "domain/stock.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace firstcome::ports {

/// Written by a lane once per batch, read by anybody at any time. The lock is held for a copy only.
///
/// Thread   any
class StockBoard {
public:
    void publish(const domain::StockFigures& figures) {
        const std::lock_guard lock{mutex_};
        shown_.insert_or_assign(figures.item, figures);
    }

    [[nodiscard]] std::optional<domain::StockFigures> stock(const domain::ItemId& item) const {
        const std::lock_guard lock{mutex_};
        const auto found = shown_.find(item);
        if (found == shown_.end()) return std::nullopt;
        return found->second;
    }

    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const {
        const std::lock_guard lock{mutex_};
        std::vector<domain::StockFigures> all;
        all.reserve(shown_.size());
        for (const auto& [item, figures] : shown_) all.push_back(figures);
        return all;
    }

private:
    mutable std::mutex mutex_;
    std::map<domain::ItemId, domain::StockFigures> shown_;
};

}  // namespace firstcome::ports
