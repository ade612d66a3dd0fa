// src/adapters/guarded/found_anyway.cpp - finds orders in the store and on their way to it
#include "adapters/guarded/found_anyway.hpp"

namespace firstcome::guarded {

using ports::StoreError;

void ShownOrders::note(const domain::Order& order) {
    if (order.status == domain::OrderStatus::processing) return;
    const std::lock_guard lock{mutex_};
    const auto [at, is_new] = orders_.insert_or_assign(order.id, order);
    if (!is_new) return;
    line_.push_back(order.id);
    if (line_.size() <= max_) return;
    orders_.erase(line_.front());
    line_.pop_front();
}

std::optional<domain::Order> ShownOrders::find(domain::OrderId id) const {
    const std::lock_guard lock{mutex_};
    const auto found = orders_.find(id);
    if (found == orders_.end()) return std::nullopt;
    return found->second;
}

// The order may move from the outbox to the store between two looks, but never back: so the store
// is looked at once more.
FoundAnyway::Found FoundAnyway::find(domain::OrderId id) {
    auto found = look(id);
    if (!found && found.error() == StoreError::unavailable) return last_known(id);
    if (!found || *found) return found;
    auto waiting = on_their_way_.find(id);
    if (waiting && *waiting) return waiting;
    found = look(id);
    if (!found || *found) return found;
    return waiting;
}

FoundAnyway::Found FoundAnyway::look(domain::OrderId id) {
    auto found = store_->find(id);
    if (found && *found) shown_.note(**found);
    return found;
}

FoundAnyway::Found FoundAnyway::last_known(domain::OrderId id) const {
    if (auto shown = shown_.find(id)) return shown;
    auto waiting = on_their_way_.find(id);
    // Not in the outbox and the truth is silent: that is no "not found".
    if (!waiting || !*waiting) return std::unexpected(StoreError::unavailable);
    return waiting;
}

std::expected<ports::OrderPage, StoreError> FoundAnyway::list(const ports::OrderQuery& query) {
    if (!on_their_way_.store_is_asked()) return std::unexpected(StoreError::unavailable);
    if (auto stored = on_their_way_.wait_until_stored(); !stored) {
        return std::unexpected(stored.error());
    }
    auto page = store_->list(query);
    if (page) {
        for (const domain::Order& order : page->orders) shown_.note(order);
    }
    return page;
}

}  // namespace firstcome::guarded
