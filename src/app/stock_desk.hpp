// src/app/stock_desk.hpp - what a sale manager does: set stock, look at it, check that it adds up
#pragma once

#include "app/order_lane.hpp"
#include "domain/stock.hpp"
#include "ports/order_ledger.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <vector>

namespace firstcome::app {

using StockReply = std::expected<ports::StockResult, ports::LedgerError>;

class StockDesk {
public:
    struct Shard {
        OrderLane* lane = nullptr;             // outlives
        ports::OrderLedger* ledger = nullptr;  // outlives
    };

    explicit StockDesk(std::vector<Shard> shards) : shards_(std::move(shards)) {}

    /// Makes the change on the item's lane, between two batches; `done` is called there, once.
    /// False: the lane takes nothing more now, and `done` is never called.
    ///
    /// Thread   any
    [[nodiscard]] bool change(
        domain::StockChange change, std::move_only_function<void(StockReply)> done
    );

    /// Figures as of the last durable batch.
    ///
    /// Thread   any; never waits
    [[nodiscard]] std::optional<domain::StockFigures> stock(const domain::ItemId& item) const;
    /// False: they are the last known ones, since what decides about the item does not answer.
    [[nodiscard]] bool is_current(const domain::ItemId& item) const;
    /// All items of all shards, sorted by item.
    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const;

    /// Orders accepted so far, of one item or of all.
    [[nodiscard]] std::uint64_t count(const std::optional<domain::ItemId>& item) const;

private:
    std::vector<Shard> shards_;
};

}  // namespace firstcome::app
