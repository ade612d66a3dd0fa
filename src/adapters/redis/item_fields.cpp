// src/adapters/redis/item_fields.cpp - an item as Redis has it, and as text for Redis
#include "adapters/redis/item_fields.hpp"

#include <algorithm>
#include <charconv>

namespace firstcome::redis {

namespace {

enum Field : std::size_t {
    initial,
    restocked,
    remaining,
    sold,
    orders,
    opens,
    closes,
    limit,
    movement
};

/// Outer nothing: damaged. Inner nothing: empty, so not set.
std::optional<std::optional<std::int64_t>> maybe_number(const Reply& reply) {
    if (reply.is(Reply::Kind::text) && reply.text.empty()) return std::optional<std::int64_t>{};
    const auto number = number_in(reply);
    if (!number) return std::nullopt;
    return std::optional{number};
}

std::optional<domain::WallTime> wall_time_of(std::optional<std::int64_t> milliseconds) {
    if (!milliseconds) return std::nullopt;
    return domain::WallTime{std::chrono::milliseconds{*milliseconds}};
}

}  // namespace

bool is_unknown(const Reply& fields) {
    return std::ranges::all_of(fields.items, [](const Reply& each) {
        return each.is(Reply::Kind::nil);
    });
}

std::optional<std::int64_t> number_in(const Reply& reply) {
    if (reply.is(Reply::Kind::integer)) return reply.integer;
    if (!reply.is(Reply::Kind::text)) return std::nullopt;
    std::int64_t number = 0;
    const char* const end = reply.text.data() + reply.text.size();
    const auto [at, error] = std::from_chars(reply.text.data(), end, number);
    if (error != std::errc{} || at != end) return std::nullopt;
    return number;
}

std::optional<LiveItem> read_item(
    const domain::ItemId& item, const Reply& fields, domain::WallTime as_of
) {
    if (fields.items.size() < item_fields.size()) return std::nullopt;
    std::array<std::int64_t, orders + 1> numbers{};
    for (std::size_t field = initial; field <= orders; ++field) {
        const auto number = number_in(fields.items[field]);
        if (!number) return std::nullopt;
        numbers[field] = *number;
    }
    const auto opens_at = maybe_number(fields.items[opens]);
    const auto closes_at = maybe_number(fields.items[closes]);
    const auto per_user = maybe_number(fields.items[limit]);
    const auto moved = number_in(fields.items[movement]);
    if (!opens_at || !closes_at || !per_user || !moved) return std::nullopt;
    LiveItem live{
        .figures =
            {.item = item,
             .initial = numbers[initial],
             .restocked = numbers[restocked],
             .remaining = numbers[remaining],
             .sold = numbers[sold],
             .orders = static_cast<domain::Sequence>(numbers[orders]),
             .window = {.opens_at = wall_time_of(*opens_at), .closes_at = wall_time_of(*closes_at)},
             .per_user_limit = *per_user,
             .as_of = as_of},
        .movement = static_cast<std::uint64_t>(*moved)};
    if (live.figures.drift() != 0 || live.figures.remaining < 0) return std::nullopt;
    return live;
}

std::string text_of(const std::optional<domain::WallTime>& time) {
    return time ? std::to_string(time->time_since_epoch().count()) : std::string{};
}

std::string text_of(const std::optional<domain::Units>& limit) {
    return limit ? std::to_string(*limit) : std::string{};
}

}  // namespace firstcome::redis
