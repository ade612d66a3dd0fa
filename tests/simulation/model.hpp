// tests/simulation/model.hpp - the rules once more, as lists that are added up anew each time
#pragma once

#include "base/time.hpp"
#include "domain/order.hpp"
#include "domain/stock.hpp"
#include "ports/order_ledger.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace firstcome::simulation {

/// What a buyer asks, in plain words.
struct Ask {
    std::string user;
    std::string item;
    std::int32_t quantity = 1;
    std::optional<std::string> key;
};

struct SoldOrder {
    Ask ask;
    domain::Sequence sequence = 0;
    base::WallTime at;
    base::MonotonicTime key_ends;
    bool released = false;
};

/// Order number `index` of the model, for the first time or again.
struct Sold {
    std::size_t index = 0;
    bool again = false;
};

using Expected = std::variant<Sold, domain::Rejected>;

struct AdminChange {
    domain::StockChange change;
    std::optional<std::string> key;
};

struct KnownItem {
    domain::Units initial = 0;
    domain::Units restocked = 0;
    std::optional<domain::WallTime> opens_at;
    std::optional<domain::WallTime> closes_at;
    std::optional<domain::Units> limit;
};

/// Knows nothing of shards, hashes or tables: every figure is a sum over all orders ever sold. It
/// is a value, so "nothing happened" is the copy from before.
class Model {
public:
    explicit Model(std::chrono::seconds key_ttl) : key_ttl_(key_ttl) {}

    [[nodiscard]] Expected place(
        const Ask& ask, base::WallTime now, base::MonotonicTime monotonic_now
    ) {
        if (ask.key) {
            for (std::size_t i = orders_.size(); i-- > 0;) {
                const SoldOrder& known = orders_[i];
                if (known.ask.user != ask.user || known.ask.key != ask.key) continue;
                if (monotonic_now >= known.key_ends) continue;
                const bool other_item = known.ask.item != ask.item;
                const bool other_quantity = known.ask.quantity != ask.quantity;
                if (!other_item && !other_quantity) return Sold{.index = i, .again = true};
                domain::Rejected no{.why = domain::Rejection::idempotency_key_reused};
                no.item_differs = other_item;
                no.quantity_differs = other_quantity;
                return no;
            }
        }
        const auto found = items_.find(ask.item);
        if (found == items_.end()) {
            return domain::Rejected{.why = domain::Rejection::item_not_found};
        }
        const KnownItem& item = found->second;
        if (item.opens_at && now < *item.opens_at) {
            domain::Rejected no{.why = domain::Rejection::sale_not_open};
            no.at = *item.opens_at;
            no.decided_at = now;
            return no;
        }
        if (item.closes_at && !(now < *item.closes_at)) {
            domain::Rejected no{.why = domain::Rejection::sale_closed};
            no.at = *item.closes_at;
            no.decided_at = now;
            return no;
        }
        const domain::Units used = held(ask.item, ask.user);
        if (item.limit && used + ask.quantity > *item.limit) {
            domain::Rejected no{.why = domain::Rejection::user_limit_exceeded};
            no.limit = *item.limit;
            no.used = used;
            return no;
        }
        const domain::Units left = item.initial + item.restocked - held(ask.item, std::nullopt);
        if (left < ask.quantity) {
            domain::Rejected no{
                .why = left == 0 ? domain::Rejection::sold_out
                                 : domain::Rejection::insufficient_stock};
            no.remaining = left;
            return no;
        }
        orders_.push_back({
            .ask = ask,
            .sequence = count(ask.item) + 1,
            .at = now,
            .key_ends = monotonic_now + key_ttl_,
        });
        return Sold{.index = orders_.size() - 1, .again = false};
    }

    [[nodiscard]] ports::StockResult change(const AdminChange& wanted, base::WallTime now) {
        const domain::StockChange& change = wanted.change;
        if (wanted.key) {
            for (std::size_t i = changes_.size(); i-- > 0;) {
                const Changed& known = changes_[i];
                if (known.wanted.key != wanted.key) continue;
                const domain::StockChange& first = known.wanted.change;
                const bool same =
                    first.item == change.item && first.operation == change.operation &&
                    first.quantity == change.quantity && first.opens_at == change.opens_at &&
                    first.closes_at == change.closes_at &&
                    first.per_user_limit == change.per_user_limit;
                if (same) return ports::StockChanged{.figures = known.after, .replayed = true};
                return domain::StockRejected{.why = domain::StockRejection::idempotency_key_reused};
            }
        }
        const std::string name{change.item.text()};
        const bool is_known = items_.contains(name);
        if (!is_known && change.operation != domain::StockOperation::set) {
            return domain::StockRejected{.why = domain::StockRejection::item_not_found};
        }
        KnownItem after = is_known ? items_[name] : KnownItem{};
        const domain::Units total_before = after.initial + after.restocked;
        if (change.operation == domain::StockOperation::set) {
            after.initial = change.quantity;
            after.restocked = 0;
        } else if (change.operation == domain::StockOperation::add) {
            after.restocked += change.quantity;
        } else {
            after.restocked -= change.quantity;
        }
        const domain::Units sold = held(name, std::nullopt);
        if (after.initial + after.restocked < sold) {
            return domain::StockRejected{
                .why = domain::StockRejection::below_committed,
                .committed = sold,
                .total = total_before};
        }
        if (change.opens_at) after.opens_at = *change.opens_at;
        if (change.closes_at) after.closes_at = *change.closes_at;
        if (after.opens_at && after.closes_at && !(*after.opens_at < *after.closes_at)) {
            return domain::StockRejected{.why = domain::StockRejection::window_invalid};
        }
        if (change.per_user_limit) after.limit = *change.per_user_limit;
        items_[name] = after;
        domain::StockFigures shown = figures(name);
        shown.as_of = now;
        changes_.push_back({wanted, shown});
        return ports::StockChanged{.figures = shown, .replayed = false};
    }

    [[nodiscard]] ports::Release release(std::size_t index) {
        if (orders_[index].released) return ports::Release::already_released;
        orders_[index].released = true;
        return ports::Release::released;
    }

    [[nodiscard]] domain::StockFigures figures(const std::string& name) const {
        const KnownItem& item = items_.at(name);
        domain::StockFigures shown;
        shown.item = domain::ItemId::from(name).value();
        shown.initial = item.initial;
        shown.restocked = item.restocked;
        shown.sold = held(name, std::nullopt);
        shown.remaining = item.initial + item.restocked - shown.sold;
        shown.orders = count(name);
        shown.window = {item.opens_at, item.closes_at};
        shown.per_user_limit = item.limit;
        return shown;
    }

    [[nodiscard]] const std::map<std::string, KnownItem>& items() const { return items_; }

    [[nodiscard]] const std::vector<SoldOrder>& orders() const { return orders_; }

private:
    struct Changed {
        AdminChange wanted;
        domain::StockFigures after;
    };

    [[nodiscard]] domain::Units held(
        const std::string& item, const std::optional<std::string>& user
    ) const {
        domain::Units units = 0;
        for (const SoldOrder& order : orders_) {
            if (order.released || order.ask.item != item) continue;
            if (!user || order.ask.user == *user) units += order.ask.quantity;
        }
        return units;
    }

    [[nodiscard]] domain::Sequence count(const std::string& item) const {
        domain::Sequence orders = 0;
        for (const SoldOrder& order : orders_) {
            if (order.ask.item == item) ++orders;
        }
        return orders;
    }

    std::chrono::seconds key_ttl_;
    std::map<std::string, KnownItem> items_;
    std::vector<SoldOrder> orders_;
    std::vector<Changed> changes_;
};

}  // namespace firstcome::simulation
