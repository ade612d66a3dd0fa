// src/adapters/sqlite/store.cpp - finds and lists accepted orders, beside the lane that writes them
#include "adapters/sqlite/store.hpp"

#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace firstcome::sqlite {

using domain::Order;
using domain::OrderStatus;
using ports::StoreError;

namespace {

// How many rows one page may look at: a rare filter ends its page early, with a cursor to go on.
constexpr std::size_t steps_max = 5'000;

StoreError report(const SqliteError& error) {
    log::error("cannot read orders", {{"error", error.text}});
    return error.kind == SqliteError::Kind::corrupt ? StoreError::corrupt : StoreError::unavailable;
}

bool matches(const Order& order, const ports::OrderQuery& query) {
    if (order.user != query.user) return false;
    if (query.item && order.item != *query.item) return false;
    return !query.status || order.status == *query.status;
}

}  // namespace

std::expected<std::unique_ptr<Store>, std::string> Store::open(
    const DataDir& dir, std::vector<const UserChains*> chains, const base::KeyedHash& hash
) {
    FC_ASSERT(chains.size() == dir.lanes());
    std::unique_ptr<Store> store{new Store(hash)};
    for (std::size_t lane = 0; lane < chains.size(); ++lane) {
        const std::string file = dir.lane_file(lane);
        auto database = Database::open(file, Database::Mode::read);
        if (!database) return std::unexpected(fmt::format("{}: {}", file, database.error().text));
        auto find_order = database->prepare(fmt::format(
            "SELECT {}, i.item_id, r.order_id IS NOT NULL FROM orders o"
            " JOIN items i ON i.item_no = o.item LEFT JOIN releases r ON r.order_id = o.id"
            " WHERE o.id = ?",
            order_columns
        ));
        if (!find_order) {
            return std::unexpected(fmt::format("{}: {}", file, find_order.error().text));
        }
        store->lanes_.push_back({std::move(*database), std::move(*find_order), chains[lane]});
    }
    return store;
}

std::expected<std::optional<Order>, StoreError> Store::find(domain::OrderId id) {
    if (id.shard() >= lanes_.size()) return std::nullopt;
    auto found = read(lanes_[id.shard()], id.high);
    if (!found) return std::unexpected(found.error());
    if (!*found || (*found)->order.id != id) return std::nullopt;
    return (*found)->order;
}

std::expected<std::optional<Store::Linked>, StoreError> Store::read(
    Lane& lane, std::uint64_t order_high
) {
    Statement& find = lane.find_order;
    find.bind(0, static_cast<std::int64_t>(order_high));
    auto there = find.step();
    if (!there) return std::unexpected(report(there.error()));
    if (!*there) return std::nullopt;
    const auto row = read_row(find, hash_);
    const auto item = domain::ItemId::from(find.text(10));
    const bool released = find.integer(11) != 0;
    find.reset();
    if (!row || !item) {
        log::error("the row of an order is damaged", {{"order_high", order_high}});
        return std::unexpected(StoreError::corrupt);
    }
    return Linked{
        .order =
            Order{
                .id = row->id,
                .user = row->user,
                .item = *item,
                .quantity = row->quantity,
                .sequence = row->sequence,
                .accepted_at = row->accepted_at,
                .status = released ? OrderStatus::failed : OrderStatus::confirmed,
            },
        .previous = row->previous,
    };
}

// In each lane, the user's newest order that is older than the cursor.
std::expected<std::vector<std::optional<Store::Linked>>, StoreError> Store::chain_ends(
    const ports::OrderQuery& query
) {
    const std::uint64_t user_hash = hash_.hash64(query.user.text());
    std::vector<std::optional<Linked>> ends;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        Lane& lane = lanes_[i];
        std::uint64_t high = lane.chains->newest(user_hash);
        std::optional<Linked> end;
        if (query.after && query.after->shard() == i) {
            // The cursor's own chain goes on right behind it, however far down it is.
            auto last = read(lane, query.after->high);
            if (!last) return std::unexpected(last.error());
            high = *last && (*last)->order.user == query.user ? (*last)->previous : 0;
        }
        while (high != 0) {
            auto next = read(lane, high);
            if (!next) return std::unexpected(next.error());
            if (!*next) break;
            end = std::move(**next);
            if (!query.after || end->order.id < *query.after) break;
            high = std::exchange(end, std::nullopt)->previous;
        }
        ends.push_back(std::move(end));
    }
    return ends;
}

std::expected<ports::OrderPage, StoreError> Store::list(const ports::OrderQuery& query) {
    FC_ASSERT(query.limit > 0);
    if (query.after) {
        // A cursor we gave out names an order of this user; any other leads nowhere.
        auto last = find(*query.after);
        if (!last) return std::unexpected(last.error());
        if (!*last || (*last)->user != query.user) return ports::OrderPage{};
    }
    std::size_t steps_left = steps_max;
    auto ends = chain_ends(query);
    if (!ends) return std::unexpected(ends.error());

    ports::OrderPage page;
    std::optional<domain::OrderId> last_seen;
    while (true) {
        const auto newest = std::ranges::max_element(*ends, {}, [](const auto& end) {
            return end ? end->order.id : domain::OrderId{};
        });
        if (!newest->has_value()) return page;
        Linked current = std::move(**newest);
        if (page.orders.size() == query.limit || steps_left == 0) {
            page.next = last_seen;
            return page;
        }
        last_seen = current.order.id;
        const std::size_t lane = static_cast<std::size_t>(newest - ends->begin());
        newest->reset();
        if (current.previous != 0) {
            --steps_left;
            auto next = read(lanes_[lane], current.previous);
            if (!next) return std::unexpected(next.error());
            *newest = std::move(*next);
        }
        if (matches(current.order, query)) page.orders.push_back(std::move(current.order));
    }
}

}  // namespace firstcome::sqlite
