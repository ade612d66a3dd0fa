// src/adapters/redis/ledger_stock.cpp - stock changes and releases: the record and the sale in step
#include "adapters/redis/ledger.hpp"
#include "adapters/redis/sale_changes.hpp"
#include "base/assert.hpp"
#include "base/failpoint.hpp"
#include "telemetry/log.hpp"

namespace firstcome::redis {

using domain::StockRejected;
using domain::StockRejection;
using ports::Changed;
using ports::LedgerError;
using ports::RecordedItem;
using ports::RecordError;

std::expected<ports::StockResult, LedgerError> Ledger::change_stock(
    const domain::StockChange& change
) {
    // The sale's own fault says more than that the record could not go on because of it.
    Result<void> fault{};
    const auto live = [&]() -> ports::SystemOfRecord::Result<std::optional<domain::StockFigures>> {
        const auto item = read_live(change.item);
        if (item) return item->transform([](const LiveItem& known) { return known.figures; });
        fault = std::unexpected(item.error());
        return std::unexpected(RecordError::unavailable);
    };
    const auto take_out = [&](const RecordedItem& wanted) { return lower(wanted, fault); };
    const auto result = record_.change_stock(options_.shard, change, live, take_out);
    if (!fault) return std::unexpected(fault.error());
    if (!result) return std::unexpected(ledger_error(result.error()));
    if (const auto* no = std::get_if<StockRejected>(&*result)) return *no;
    base::failpoint("after_stock_commit");

    // Also for a repeated change: its first time may have ended between the record and the sale.
    const Changed& changed = std::get<Changed>(*result);
    const auto put = put_item(calls_, changed.item, clock_.wall());
    if (!put) return std::unexpected(LedgerError::outcome_unknown);
    board_.publish(put->figures);
    return changed.answer;
}

std::expected<std::optional<LiveItem>, LedgerError> Ledger::read_live(const domain::ItemId& item) {
    const std::string key = calls_.keys().item(item.text());
    std::vector<std::string_view> words{"HMGET", key};
    words.insert(words.end(), item_fields.begin(), item_fields.end());
    const Words command{words};
    const auto replies = calls_.pipeline({&command, 1});
    if (!replies) return std::unexpected(replies.error().error);
    const Reply& fields = replies->front();
    if (is_unknown(fields)) return std::nullopt;
    auto live = read_item(item, fields, clock_.wall());
    if (live) return live;
    log::error("an item in Redis is damaged", {{"item", item.text()}});
    return std::unexpected(LedgerError::rebuilding);
}

ports::SystemOfRecord::Result<ports::SystemOfRecord::Lowered> Ledger::lower(
    const RecordedItem& wanted, Result<void>& fault
) {
    base::failpoint("before_stock_lower");
    const auto lowered = eval_stock(calls_, StockStep::lower, wanted);
    if (lowered) return lowered->epoch;
    if (code_of(lowered.error().text) == "BELOW") {
        const Reply sold{.kind = Reply::Kind::text, .text = lowered.error().text.substr(6)};
        // Sold while the record decided: its total before is what it still has.
        const auto before = board_.stock(wanted.figures.item);
        return StockRejected{
            .why = StockRejection::below_committed,
            .committed = number_in(sold).value_or(0),
            .total = before ? before->total() : wanted.figures.total()};
    }
    fault = std::unexpected(lowered.error().error);
    return std::unexpected(RecordError::unavailable);
}

std::expected<ports::Release, LedgerError> Ledger::release(
    domain::OrderId order, std::string_view reason
) {
    for (const bool again : {false, true}) {
        const auto life = calls_.life();
        if (!life) return std::unexpected(life.error());
        const auto decided = fail(order, reason);
        if (!decided) return std::unexpected(decided.error());
        if (!*decided) return ports::Release::order_not_found;
        if ((*decided)->given_back) return ports::Release::already_released;
        base::failpoint("after_fail");
        const auto moved = give_back(calls_, record_, (*decided)->order, *life);
        if (moved) {
            const auto live = read_item((*decided)->order.item, moved->fields, clock_.wall());
            if (live) board_.publish(live->figures);
            return moved->now ? ports::Release::released : ports::Release::already_released;
        }
        // Rebuilt since we looked last: the record is asked anew, in the life there is now.
        if (moved.error().error != LedgerError::rebuilding || again) {
            return std::unexpected(moved.error().error);
        }
    }
    FC_UNREACHABLE();
}

// An order that was just accepted is in neither table until it is relayed.
std::expected<std::optional<ports::Failed>, LedgerError> Ledger::fail(
    domain::OrderId order, std::string_view reason
) {
    for (const bool again : {false, true}) {
        auto decided = record_.fail(order, reason);
        if (!decided) return std::unexpected(ledger_error(decided.error()));
        if (*decided || again) return *decided;
        if (auto waited = wait_for_outbox(); !waited) return std::unexpected(waited.error());
    }
    FC_UNREACHABLE();
}

std::expected<void, LedgerError> Ledger::wait_for_outbox() {
    const auto life = calls_.life();
    if (!life) return std::unexpected(life.error());
    const auto last = calls_.command({"XREVRANGE", calls_.keys().outbox, "+", "-", "COUNT", "1"});
    if (!last) return std::unexpected(last.error().error);
    if (last->items.empty()) return {};
    const auto end = moment_of(last->items.front());
    if (!end) return std::unexpected(LedgerError::unavailable);
    const auto waited = wait_until_relayed(*end, life->epoch);
    // Nothing was written yet, whatever happened to the line meanwhile.
    if (!waited || !waited->relayed) return std::unexpected(LedgerError::unavailable);
    return {};
}

}  // namespace firstcome::redis
