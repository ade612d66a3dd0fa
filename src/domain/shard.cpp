// src/domain/shard.cpp - the items and remembered keys one lane owns
#include "domain/shard.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <ranges>

namespace firstcome::domain {

Shard::Shard(std::chrono::seconds key_ttl, const base::KeyedHash& hash, OrderIdMaker& ids)
    : key_ttl_(key_ttl), hash_(hash), ids_(ids) {
    FC_ASSERT(key_ttl.count() > 0);
}

Decision Shard::decide(
    const OrderRequest& request, WallTime now, base::MonotonicTime monotonic_now
) {
    if (request.key) {
        if (const auto order_high = keys_.find(*request.key, monotonic_now)) {
            return Remembered{*order_high};
        }
    }
    Sale* const found = sale(request.item);
    if (found == nullptr) return Rejected{.why = Rejection::item_not_found};

    const std::uint64_t user_hash = hash_of(request.user);
    const auto decision = found->decide(request, user_hash, now);
    if (const auto* no = std::get_if<Rejected>(&decision)) return *no;

    const Grant grant = std::get<Grant>(decision);
    const OrderId id = ids_.next(now);
    found->apply(request, user_hash, grant);
    if (request.key) {
        keys_.remember(*request.key, id.high, monotonic_now + key_ttl_, monotonic_now);
    }
    provisional_.push_back({found, request.key, request.quantity, user_hash, grant});
    return Granted{
        .order =
            Order{
                .id = id,
                .user = request.user,
                .item = request.item,
                .quantity = request.quantity,
                .sequence = grant.sequence,
                .accepted_at = now,
            },
        .user_hash = user_hash,
    };
}

void Shard::commit() {
    provisional_.clear();
}

void Shard::revert() {
    for (const Provisional& last : provisional_ | std::views::reverse) {
        last.sale->revert(last.quantity, last.user_hash, last.grant);
        if (last.key) keys_.forget(*last.key);
    }
    provisional_.clear();
}

std::vector<const Sale*> Shard::touched() const {
    std::vector<const Sale*> sales;
    for (const Provisional& each : provisional_) {
        if (!sales.empty() && sales.back() == each.sale) continue;
        if (std::ranges::find(sales, each.sale) == sales.end()) sales.push_back(each.sale);
    }
    return sales;
}

Sale* Shard::sale(const ItemId& item) {
    if (last_asked_ != nullptr && last_asked_->figures().item == item) return last_asked_;
    const auto found = sales_.find(item);
    if (found == sales_.end()) return nullptr;
    last_asked_ = found->second.get();
    return last_asked_;
}

Sale& Shard::open_sale(const ItemId& item) {
    auto& sale = sales_[item];
    if (!sale) sale = std::make_unique<Sale>(item);
    return *sale;
}

void Shard::remember(
    const KeyHash& key,
    std::uint64_t order_high,
    std::chrono::milliseconds age,
    base::MonotonicTime now
) {
    // A clock that stepped back makes an order seem to come from the future: then it is simply new.
    const auto lived =
        std::clamp<std::chrono::milliseconds>(age, std::chrono::milliseconds{0}, key_ttl_);
    if (lived >= key_ttl_) return;
    keys_.restore(key, order_high, now + (key_ttl_ - lived), now);
}

std::uint64_t Shard::hash_of(const UserId& user) const {
    return hash_.hash64(user.text());
}

}  // namespace firstcome::domain
