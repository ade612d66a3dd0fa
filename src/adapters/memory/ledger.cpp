// src/adapters/memory/ledger.cpp - the reference ledger and store: the rules and nothing else
#include "adapters/memory/ledger.hpp"

#include "base/assert.hpp"
#include "domain/replay.hpp"

#include <utility>

namespace firstcome::memory {

using domain::Accepted;
using domain::Granted;
using domain::Order;
using domain::OrderStatus;
using domain::Outcome;
using domain::Rejected;
using domain::Remembered;
using ports::LedgerError;
using ports::StoreError;

Ledger::Ledger(
    Options options, const base::Clock& clock, base::Entropy& entropy, const base::KeyedHash& hash
)
    : clock_(clock),
      hash_(hash),
      ids_(options.shard, 0, entropy),
      shard_(options.key_ttl, hash, ids_) {}

std::expected<void, LedgerError> Ledger::place(
    std::span<const domain::OrderRequest> batch, std::span<Outcome> outcomes
) {
    FC_ASSERT(batch.size() == outcomes.size());
    const auto monotonic_now = clock_.monotonic();
    const std::lock_guard lock{mutex_};
    std::vector<std::uint64_t> granted;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        auto decision = shard_.decide(batch[i], clock_.wall(), monotonic_now);
        if (const auto* yes = std::get_if<Granted>(&decision)) {
            Order order = yes->order;
            order.status = OrderStatus::confirmed;
            orders_.emplace(order.id.high, order);
            granted.push_back(order.id.high);
            outcomes[i] = Accepted{.order = order};
        } else if (const auto* known = std::get_if<Remembered>(&decision)) {
            Order first = orders_.at(known->order_high);
            first.status = OrderStatus::confirmed;  // as it was answered then
            outcomes[i] = domain::replay(batch[i], first);
        } else {
            outcomes[i] = std::get<Rejected>(decision);
        }
    }
    if (!granted.empty() && fail_next_) {
        shard_.revert();
        for (const std::uint64_t high : granted) orders_.erase(high);
        return std::unexpected(*std::exchange(fail_next_, std::nullopt));
    }
    for (const domain::Sale* sale : shard_.touched()) {
        board_.publish(sale->figures());
    }
    shard_.commit();
    return {};
}

std::expected<ports::StockResult, LedgerError> Ledger::change_stock(
    const domain::StockChange& change
) {
    const std::lock_guard lock{mutex_};
    if (change.key) {
        const auto before = changes_.find(*change.key);
        if (before != changes_.end()) {
            if (!domain::same_payload(before->second.change, change)) {
                return domain::StockRejected{.why = domain::StockRejection::idempotency_key_reused};
            }
            return ports::StockChanged{.figures = before->second.figures, .replayed = true};
        }
    }
    const bool is_new = shard_.sale(change.item) == nullptr;
    if (is_new && change.operation != domain::StockOperation::set) {
        return domain::StockRejected{.why = domain::StockRejection::item_not_found};
    }
    const auto result = is_new ? domain::Sale(change.item).changed(change, clock_.wall())
                               : shard_.sale(change.item)->changed(change, clock_.wall());
    if (const auto* no = std::get_if<domain::StockRejected>(&result)) return *no;
    if (fail_next_) return std::unexpected(*std::exchange(fail_next_, std::nullopt));

    const auto& figures = std::get<domain::StockFigures>(result);
    domain::Sale& sale = shard_.open_sale(change.item);
    sale.adopt(figures);
    if (sale.needs_bought_counts()) {
        sale.start_counting_bought();
        for (const auto& [high, order] : orders_) {
            if (order.item != change.item || order.status == OrderStatus::failed) continue;
            sale.count_bought(shard_.hash_of(order.user), order.quantity);
        }
    }
    board_.publish(figures);
    if (change.key) changes_.insert_or_assign(*change.key, ChangeRecord{change, figures});
    return ports::StockChanged{.figures = figures};
}

std::expected<ports::Release, LedgerError> Ledger::release(
    domain::OrderId order, std::string_view /*reason*/
) {
    const std::lock_guard lock{mutex_};
    const auto found = orders_.find(order.high);
    if (found == orders_.end() || found->second.id != order) return ports::Release::order_not_found;
    Order& stored = found->second;
    if (stored.status == OrderStatus::failed) return ports::Release::already_released;
    if (fail_next_) return std::unexpected(*std::exchange(fail_next_, std::nullopt));
    stored.status = OrderStatus::failed;
    domain::Sale* sale = shard_.sale(stored.item);
    FC_ASSERT(sale != nullptr);
    sale->release(shard_.hash_of(stored.user), stored.quantity);
    board_.publish(sale->figures());
    return ports::Release::released;
}

std::optional<domain::StockFigures> Ledger::stock(const domain::ItemId& item) const {
    return board_.stock(item);
}

std::vector<domain::StockFigures> Ledger::all_stock() const {
    return board_.all_stock();
}

std::expected<std::optional<Order>, StoreError> Ledger::find(domain::OrderId id) {
    const std::lock_guard lock{mutex_};
    const auto found = orders_.find(id.high);
    if (found == orders_.end() || found->second.id != id) return std::nullopt;
    return found->second;
}

std::expected<ports::OrderPage, StoreError> Ledger::list(const ports::OrderQuery& query) {
    const std::lock_guard lock{mutex_};
    ports::OrderPage page;
    if (query.after) {
        const auto last = orders_.find(query.after->high);
        const bool ours = last != orders_.end() && last->second.id == *query.after &&
                          last->second.user == query.user;
        if (!ours) return page;
    }
    auto at = query.after ? orders_.lower_bound(query.after->high) : orders_.end();
    while (at != orders_.begin()) {
        const Order& order = (--at)->second;
        if (order.user != query.user) continue;
        if (query.item && order.item != *query.item) continue;
        if (query.status && order.status != *query.status) continue;
        if (page.orders.size() == query.limit) {
            page.next = page.orders.back().id;
            break;
        }
        page.orders.push_back(order);
    }
    return page;
}

}  // namespace firstcome::memory
