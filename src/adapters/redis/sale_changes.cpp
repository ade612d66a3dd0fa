// src/adapters/redis/sale_changes.cpp - what the record decided, carried into the sale
#include "adapters/redis/sale_changes.hpp"

#include "adapters/redis/stored_order.hpp"
#include "base/assert.hpp"
#include "base/failpoint.hpp"
#include "telemetry/log.hpp"

namespace firstcome::redis {

using ports::LedgerError;
using ports::RecordError;

LedgerError ledger_error(RecordError error) {
    switch (error) {
        case RecordError::unavailable: return LedgerError::unavailable;
        case RecordError::outcome_unknown: return LedgerError::outcome_unknown;
        case RecordError::not_ours: return LedgerError::rebuilding;
        case RecordError::corrupt: return LedgerError::unavailable;
    }
    FC_UNREACHABLE();
}

ShardCalls::Result<StockStepped> eval_stock(
    ShardCalls& calls, StockStep step, const ports::RecordedItem& item
) {
    const domain::StockFigures& figures = item.figures;
    ShardCalls::Arguments arguments{
        step == StockStep::lower ? "lower" : "put",
        std::string(figures.item.text()),
        std::to_string(figures.initial),
        std::to_string(figures.restocked),
        text_of(figures.window.opens_at),
        text_of(figures.window.closes_at),
        text_of(figures.per_user_limit),
        std::to_string(item.movement),
        figures.orders == 0 ? "new" : ""};
    ports::Epoch epoch;
    auto reply = calls.eval(scripts().stock, [&](const Life& life) {
        epoch = life.epoch;
        return arguments;
    });
    if (!reply) return std::unexpected(std::move(reply.error()));
    return StockStepped{.epoch = std::move(epoch), .reply = std::move(*reply)};
}

std::expected<LiveItem, LedgerError> put_item(
    ShardCalls& calls, const ports::RecordedItem& item, domain::WallTime now
) {
    const auto stepped = eval_stock(calls, StockStep::put, item);
    if (!stepped) return std::unexpected(stepped.error().error);
    const std::vector<Reply>& answer = stepped->reply.items;
    if (answer.size() != 2) return std::unexpected(LedgerError::outcome_unknown);
    if (answer[0].says("counting")) {
        log::info(
            "a limit appeared on an item that has sold: the shard is rebuilt to count its buyers",
            {{"shard", calls.keys().shard}, {"item", item.figures.item.text()}}
        );
    }
    auto live = read_item(item.figures.item, answer[1], now);
    if (!live) return std::unexpected(LedgerError::outcome_unknown);
    return *live;
}

// Whoever is told `not_ours` looks again: in a later life the order is listed as not given back,
// and the shard's Redis counts it as taken.
ShardCalls::Result<GivenBack> give_back(
    ShardCalls& calls,
    ports::SystemOfRecord& record,
    const domain::Order& failed,
    const Life& decided_in
) {
    const std::string id = bytes_of(failed.id);
    auto moved = calls.eval(
        scripts().release,
        {id,
         std::string(failed.item.text()),
         std::string(failed.user.text()),
         std::to_string(failed.quantity),
         decided_in.number}
    );
    if (!moved) return std::unexpected(std::move(moved.error()));
    if (moved->items.size() != 2) {
        return std::unexpected(CallFailure{.error = LedgerError::outcome_unknown});
    }
    base::failpoint("after_release");
    if (auto noted = record.given_back(failed.id, decided_in.epoch); !noted) {
        if (noted.error() == RecordError::not_ours) calls.doubt();
        return std::unexpected(CallFailure{.error = ledger_error(noted.error())});
    }
    return GivenBack{.now = moved->items[0].integer == 1, .fields = std::move(moved->items[1])};
}

}  // namespace firstcome::redis
