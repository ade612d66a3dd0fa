// src/adapters/sqlite/rebuild.cpp - memory made anew at start, from the rows of the file
#include "adapters/sqlite/rebuild.hpp"

#include "adapters/sqlite/damage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace firstcome::sqlite {

std::expected<void, std::string> Rebuild::take(std::span<const RowView> rows) {
    for (const RowView& row : rows) {
        auto taken = take(row);
        if (taken) continue;
        if (auto earlier = settle(base::ByPart<Key>::parts); !earlier) return earlier;
        return taken;
    }
    // A few parts at a time, so that the reading thread never has to wait for a long one.
    rows_ += rows.size();
    return settle(base::ByPart<Key>::parts * rows.size() / waiting_max() + 1);
}

std::expected<void, std::string> Rebuild::finish() {
    if (auto settled = settle(base::ByPart<Key>::parts); !settled) return settled;
    if (!options_.released.empty()) {
        return std::unexpected(damaged("a release of no known order"));
    }
    return {};
}

// A sixteenth of what is there: so the tables' pages are fetched for several entries each, however
// large the tables are, and what waits here is a small part of the memory they take.
std::size_t Rebuild::waiting_max() const {
    return std::clamp<std::size_t>(rows_ / 16, 16'384, 1'048'576);
}

std::expected<void, std::string> Rebuild::take(const RowView& row) {
    const std::uint64_t id = row.id.high;
    if (!is_whole(row, hash_)) {
        return std::unexpected(damaged(fmt::format("the row of order {:016x} is changed", id)));
    }
    const auto items = static_cast<std::int64_t>(options_.sales.size());
    if (row.item_no < 1 || row.item_no > items) {
        return std::unexpected(damaged(fmt::format("order {} has no item", row.id.text())));
    }
    domain::Sale& sale = *options_.sales[static_cast<std::size_t>(row.item_no - 1)];
    const std::uint64_t user_hash = hash_.hash64(row.user);
    const bool was_released = !options_.released.empty() && options_.released.erase(id) > 0;
    if (!sale.replay(user_hash, was_released ? 0 : row.quantity, row.sequence)) {
        return std::unexpected(damaged(fmt::format(
            "order {} has sequence {} of item {}, which does not follow, or is more than the stock",
            row.id.text(),
            row.sequence,
            sale.figures().item.text()
        )));
    }
    steps_.add(user_hash, {.user_hash = user_hash, .order_high = id, .previous = row.previous});
    if (row.key && options_.now - row.accepted_at < options_.key_ttl) {
        keys_.add(row.key->low, {*row.key, id, row.accepted_at});
    }
    return {};
}

std::expected<void, std::string> Rebuild::settle(std::size_t parts) {
    parts = std::min(parts, base::ByPart<Key>::parts);
    std::optional<std::uint64_t> first_broken;
    const auto extend = [&](std::span<const UserChains::Step> steps) {
        const UserChains::Step* broken = chains_.extend(steps);
        if (broken == nullptr) return;
        first_broken = std::min(first_broken.value_or(broken->order_high), broken->order_high);
    };
    steps_.drain(parts, extend);
    if (first_broken) {
        steps_.drain(base::ByPart<Key>::parts, extend);  // an earlier one may still wait
        return std::unexpected(damaged(
            fmt::format("an order of the same user before {:016x} is missing", *first_broken)
        ));
    }
    keys_.drain(parts, [this](std::span<const Key> keys) {
        constexpr std::size_t ahead = 16;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            if (i + ahead < keys.size()) shard_.prefetch(keys[i + ahead].key);
            const Key& each = keys[i];
            const auto age = options_.now - each.accepted_at;
            shard_.remember(each.key, each.order_high, age, options_.monotonic_now);
        }
    });
    return {};
}

}  // namespace firstcome::sqlite
