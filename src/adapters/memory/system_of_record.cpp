// src/adapters/memory/system_of_record.cpp - the reference truth: what it must know, and no disk
#include "adapters/memory/system_of_record.hpp"

#include "base/assert.hpp"
#include "domain/replay.hpp"
#include "domain/sale.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::memory {

using domain::Order;
using domain::OrderId;
using domain::OrderStatus;
using domain::StockFigures;
using domain::StockRejected;
using domain::StockRejection;
using ports::Changed;
using ports::Epoch;
using ports::RecordedItem;
using ports::RecordError;

namespace {

void settle(StockFigures& figures) {
    figures.remaining = figures.total() - figures.sold - figures.compensating;
}

}  // namespace

ports::Delivery Truth::deliver(std::span<const domain::Event> events) {
    const std::lock_guard lock{mutex_};
    if (error_) {
        return {.delivered = 0, .failure = ports::DeliveryFailure{.error = "told to fail"}};
    }
    for (const domain::Event& event : events) take(event, false);
    return {.delivered = events.size(), .failure = std::nullopt};
}

void Truth::park(const domain::Event& event) {
    const std::lock_guard lock{mutex_};
    take(event, true);
}

void Truth::take(const domain::Event& event, bool parked) {
    FC_ASSERT(event.type == domain::EventType::order_accepted);
    Stored stored{.order = event.order, .key = event.key, .parked = parked};
    stored.order.status = OrderStatus::confirmed;
    const auto [at, is_new] = orders_.try_emplace(event.order.id, stored);
    if (!is_new) return;
    StockFigures& figures = item_of(event.order.item, event.order.id.shard()).figures;
    figures.sold += event.order.quantity;
    figures.orders = std::max(figures.orders, event.order.sequence);
    settle(figures);
}

RecordedItem& Truth::item_of(const domain::ItemId& item, unsigned shard) {
    shard_of_.try_emplace(item, shard);
    RecordedItem& recorded = items_[item];
    recorded.figures.item = item;
    return recorded;
}

std::expected<std::optional<Order>, ports::StoreError> Truth::find(OrderId id) {
    const std::lock_guard lock{mutex_};
    if (error_) return std::unexpected(ports::StoreError::unavailable);
    const auto found = orders_.find(id);
    if (found == orders_.end() || found->second.parked) return std::nullopt;
    return found->second.order;
}

std::expected<ports::OrderPage, ports::StoreError> Truth::list(const ports::OrderQuery& query) {
    const std::lock_guard lock{mutex_};
    if (error_) return std::unexpected(ports::StoreError::unavailable);
    ports::OrderPage page;
    auto at = orders_.end();
    if (query.after) {
        at = orders_.find(*query.after);
        if (at == orders_.end() || at->second.order.user != query.user) return page;
    }
    while (at != orders_.begin()) {
        const Order& order = (--at)->second.order;
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

SystemOfRecord::SystemOfRecord(const Options& options, Truth& truth, const base::Clock& clock)
    : options_(options), truth_(truth), clock_(clock) {}

ports::SystemOfRecord::Result<bool> SystemOfRecord::lead(unsigned shard) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    int& node = truth_.leads_[shard];
    if (node == 0) node = options_.node;
    return node == options_.node;
}

ports::SystemOfRecord::Result<std::string> SystemOfRecord::secret() {
    if (truth_.error_) return std::unexpected(*truth_.error_);
    return std::string(192, 's');
}

ports::SystemOfRecord::Result<Epoch> SystemOfRecord::epoch(unsigned shard) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    return truth_.epochs_[shard];
}

ports::SystemOfRecord::Result<Epoch> SystemOfRecord::advance_epoch(
    unsigned shard, const Epoch& from, std::string_view run_id
) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    Epoch& epoch = truth_.epochs_[shard];
    if (epoch != from) return std::unexpected(RecordError::not_ours);
    epoch = {.number = from.number + 1, .run_id = std::string(run_id)};
    return epoch;
}

ports::SystemOfRecord::Result<std::vector<RecordedItem>> SystemOfRecord::items(unsigned shard) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    std::vector<RecordedItem> found;
    for (const auto& [item, recorded] : truth_.items_) {
        if (truth_.shard_of_.at(item) == shard) found.push_back(recorded);
    }
    return found;
}

ports::SystemOfRecord::Result<std::optional<RecordedItem>> SystemOfRecord::item(
    const domain::ItemId& item
) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    const auto found = truth_.items_.find(item);
    if (found == truth_.items_.end()) return std::nullopt;
    return found->second;
}

ports::SystemOfRecord::Result<std::set<OrderId>> SystemOfRecord::stored(
    std::span<const OrderId> orders
) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    std::set<OrderId> found;
    for (const OrderId& order : orders) {
        if (truth_.orders_.contains(order)) found.insert(order);
    }
    return found;
}

ports::SystemOfRecord::Result<void> SystemOfRecord::declare(std::span<const OrderId> orders) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    for (const OrderId& order : orders) {
        const auto found = truth_.orders_.find(order);
        if (found == truth_.orders_.end()) continue;
        found->second.order.durability = domain::Durability::redis;
    }
    return {};
}

ports::SystemOfRecord::Result<SystemOfRecord::Bought> SystemOfRecord::bought(
    std::span<const domain::ItemId> items, const std::function<bool()>& go_on
) {
    if (!go_on()) return std::unexpected(RecordError::unavailable);
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    Bought bought;
    for (const auto& [id, stored] : truth_.orders_) {
        const Order& order = stored.order;
        if (order.status == OrderStatus::failed) continue;
        if (std::ranges::find(items, order.item) == items.end()) continue;
        bought[order.item][order.user] += order.quantity;
    }
    return bought;
}

ports::SystemOfRecord::Result<void> SystemOfRecord::keys(
    unsigned shard,
    domain::WallTime since,
    const std::function<bool(std::span<const ports::RecordedKey>)>& take
) {
    constexpr std::size_t piece_max = 100;
    std::vector<ports::RecordedKey> all;
    {
        const std::lock_guard lock{truth_.mutex_};
        if (truth_.error_) return std::unexpected(*truth_.error_);
        for (const auto& [id, stored] : truth_.orders_) {
            if (!stored.key || id.shard() != shard || stored.order.accepted_at < since) continue;
            all.push_back({.key = *stored.key, .order = stored.order});
        }
    }
    std::span<const ports::RecordedKey> rest{all};
    do {
        const auto piece = rest.first(std::min(rest.size(), piece_max));
        rest = rest.subspan(piece.size());
        if (!take(piece)) return std::unexpected(RecordError::unavailable);
    } while (!rest.empty());
    return {};
}

std::optional<std::variant<Changed, StockRejected>> SystemOfRecord::repeated(
    const domain::StockChange& change
) {
    if (!change.key) return std::nullopt;
    const auto before = truth_.changes_.find(*change.key);
    if (before == truth_.changes_.end()) return std::nullopt;
    if (!domain::same_payload(before->second.change, change)) {
        return StockRejected{.why = StockRejection::idempotency_key_reused};
    }
    return Changed{
        .item = truth_.items_.at(change.item),
        .answer = {.figures = before->second.figures, .replayed = true}};
}

ports::SystemOfRecord::Result<std::variant<Changed, StockRejected>> SystemOfRecord::change_stock(
    unsigned shard, const domain::StockChange& change, const Live& live, const Lower& lower
) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    if (const auto known = repeated(change)) return *known;
    const auto found = truth_.items_.find(change.item);
    const bool is_new = found == truth_.items_.end();
    if (is_new && change.operation != domain::StockOperation::set) {
        return StockRejected{.why = StockRejection::item_not_found};
    }
    RecordedItem wanted = is_new ? RecordedItem{} : found->second;
    wanted.figures.item = change.item;
    const auto in_sale = live();
    if (!in_sale) return std::unexpected(in_sale.error());
    StockFigures before = wanted.figures;
    if (*in_sale) {
        const domain::Units taken = (*in_sale)->total() - (*in_sale)->remaining;
        before.sold = std::max(before.sold, taken - before.compensating);
        before.orders = std::max(before.orders, (*in_sale)->orders);
        settle(before);
    }
    if (before.remaining < 0) return std::unexpected(RecordError::corrupt);
    domain::Sale sale{change.item};
    sale.adopt(before);
    const auto decided = sale.changed(change, clock_.wall());
    if (const auto* no = std::get_if<StockRejected>(&decided)) return *no;
    const auto& after = std::get<StockFigures>(decided);

    wanted.figures.initial = after.initial;
    wanted.figures.restocked = after.restocked;
    wanted.figures.window = after.window;
    wanted.figures.per_user_limit = after.per_user_limit;
    wanted.figures.as_of = after.as_of;
    settle(wanted.figures);
    wanted.movement = ++truth_.movements_;
    if (after.total() < before.total()) {
        const auto lowered = lower(wanted);
        if (!lowered) return std::unexpected(lowered.error());
        if (const auto* no = std::get_if<StockRejected>(&*lowered)) return *no;
        if (truth_.lowered_) std::exchange(truth_.lowered_, nullptr)();
        if (std::get<Epoch>(*lowered) != truth_.epochs_[shard]) {
            return std::unexpected(RecordError::not_ours);
        }
    }
    truth_.item_of(change.item, shard) = wanted;
    if (change.key)
        truth_.changes_.insert_or_assign(*change.key, Truth::ChangeRecord{change, after});
    const bool appeared = !before.per_user_limit && after.per_user_limit && after.orders > 0;
    return Changed{.item = wanted, .answer = {.figures = after}, .limit_appeared = appeared};
}

ports::SystemOfRecord::Result<std::optional<ports::Failed>> SystemOfRecord::fail(
    OrderId order, std::string_view /*reason*/
) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    const auto found = truth_.orders_.find(order);
    if (found == truth_.orders_.end()) return std::nullopt;
    Truth::Stored& stored = found->second;
    const bool first = stored.order.status != OrderStatus::failed;
    if (first) {
        stored.order.status = OrderStatus::failed;
        StockFigures& figures = truth_.items_.at(stored.order.item).figures;
        figures.sold -= stored.order.quantity;
        figures.compensating += stored.order.quantity;
    }
    return ports::Failed{.order = stored.order, .first = first, .given_back = stored.given_back};
}

ports::SystemOfRecord::Result<void> SystemOfRecord::given_back(OrderId order, const Epoch& epoch) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    if (truth_.given_back_) std::exchange(truth_.given_back_, nullptr)();
    if (truth_.epochs_[order.shard()] != epoch) return std::unexpected(RecordError::not_ours);
    Truth::Stored& stored = truth_.orders_.at(order);
    FC_ASSERT(stored.order.status == OrderStatus::failed);
    if (std::exchange(stored.given_back, true)) return {};
    StockFigures& figures = truth_.items_.at(stored.order.item).figures;
    figures.compensating -= stored.order.quantity;
    settle(figures);
    return {};
}

ports::SystemOfRecord::Result<std::vector<Order>> SystemOfRecord::not_given_back(
    unsigned shard, std::size_t max
) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    std::vector<Order> found;
    for (const auto& [id, stored] : truth_.orders_) {
        if (found.size() == max) break;
        const bool failed = stored.order.status == OrderStatus::failed;
        if (failed && !stored.given_back && id.shard() == shard) found.push_back(stored.order);
    }
    return found;
}

ports::SystemOfRecord::Result<void> SystemOfRecord::note_repair(
    const domain::ItemId& item, std::string_view what
) {
    const std::lock_guard lock{truth_.mutex_};
    if (truth_.error_) return std::unexpected(*truth_.error_);
    truth_.repairs_.push_back(std::string(item.text()) + ": " + std::string(what));
    return {};
}

}  // namespace firstcome::memory
