// src/app/stock_desk.cpp - what a sale manager does: set stock, look at it, check that it adds up
#include "app/stock_desk.hpp"

#include "app/place_order.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace firstcome::app {

bool StockDesk::change(domain::StockChange change, std::move_only_function<void(StockReply)> done) {
    const Shard& shard = shards_[shard_of(change.item, shards_.size())];
    return shard.lane->run_on_lane([change = std::move(change),
                                    done = std::move(done)](ports::OrderLedger& ledger) mutable {
        done(ledger.change_stock(change));
    });
}

std::optional<domain::StockFigures> StockDesk::stock(const domain::ItemId& item) const {
    return shards_[shard_of(item, shards_.size())].ledger->stock(item);
}

bool StockDesk::is_current(const domain::ItemId& item) const {
    return shards_[shard_of(item, shards_.size())].ledger->figures_are_current();
}

std::vector<domain::StockFigures> StockDesk::all_stock() const {
    std::vector<domain::StockFigures> all;
    for (const Shard& shard : shards_)
        std::ranges::move(shard.ledger->all_stock(), std::back_inserter(all));
    std::ranges::sort(all, {}, &domain::StockFigures::item);
    return all;
}

std::uint64_t StockDesk::count(const std::optional<domain::ItemId>& item) const {
    if (item) {
        const auto figures = stock(*item);
        return figures ? figures->orders : 0;
    }
    std::uint64_t orders = 0;
    for (const domain::StockFigures& figures : all_stock()) orders += figures.orders;
    return orders;
}

}  // namespace firstcome::app
