// src/adapters/redis/shard_view.cpp - a shard as Redis has it at one moment, for the audit
#include "adapters/redis/shard_view.hpp"

#include <charconv>
#include <string_view>
#include <utility>

namespace firstcome::redis {

using ports::LedgerError;

namespace {

constexpr std::string_view entries_a_look = "64";

/// The first part of an entry's id: also of one that is damaged.
std::optional<Moment> moment_in_id(const Reply& entry) {
    if (entry.items.empty()) return std::nullopt;
    const std::string& id = entry.items[0].text;
    Moment moment = 0;
    const auto [at, error] = std::from_chars(id.data(), id.data() + id.size(), moment);
    if (error != std::errc{}) return std::nullopt;
    return moment;
}

void add_items(ShardView& view, const Reply& names, const Reply& fields, domain::WallTime now) {
    for (std::size_t at = 0; at < names.items.size() && at < fields.items.size(); ++at) {
        const std::string& name = names.items[at].text;
        if (const auto item = domain::ItemId::from(name)) {
            if (is_unknown(fields.items[at])) continue;
            view.items.emplace(*item, read_item(*item, fields.items[at], now));
        } else {
            view.damaged.push_back("an item in Redis has no valid id: " + name);
        }
    }
}

void add_entry(ShardView& view, const ShardKeys& keys, const Reply& each) {
    const auto entry = read_entry(bytes_of_entry(each));
    if (!entry) return view.damaged.push_back(damage_text(keys, each));
    for (const domain::Event& event : entry->events) {
        view.waiting[event.order.item].push_back(
            {.sequence = event.order.sequence, .units = event.order.quantity}
        );
    }
}

}  // namespace

// The items first: whatever is placed later has a later moment. The outbox in pieces, from its
// start: what the relay takes away before it is read is stored by then.
std::expected<ShardView, LedgerError> view_shard(ShardCalls& calls, domain::WallTime now) {
    const auto look = calls.eval(scripts().look, {"0"});
    if (!look) return std::unexpected(look.error().error);
    if (look->items.size() != 6) return std::unexpected(LedgerError::unavailable);
    ShardView view;
    add_items(view, look->items[2], look->items[3], now);
    const std::string until = std::to_string(look->items[4].integer);
    std::string from = "-";
    while (true) {
        const auto piece =
            calls.command({"XRANGE", calls.keys().outbox, from, until, "COUNT", entries_a_look});
        if (!piece) return std::unexpected(piece.error().error);
        if (piece->items.empty()) return view;
        for (const Reply& each : piece->items) add_entry(view, calls.keys(), each);
        const auto last = moment_in_id(piece->items.back());
        if (!last) return std::unexpected(LedgerError::unavailable);
        from = std::to_string(*last + 1);
    }
}

}  // namespace firstcome::redis
