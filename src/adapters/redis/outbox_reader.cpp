// src/adapters/redis/outbox_reader.cpp - an order that is accepted and not stored yet, found
#include "adapters/redis/outbox.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <limits>

namespace firstcome::redis {

namespace {

constexpr std::string_view entries_a_look = "64";
constexpr int id_time_shift = 16;  // a UUIDv7's milliseconds are above the lower 16 bits of `high`
constexpr Moment near_us = 5'000'000;             // clocks of node and server, and time in the lane
constexpr std::chrono::seconds find_patience{2};  // a million entries take longer; ask again then

Moment microseconds_of(domain::WallTime time) {
    return static_cast<Moment>(time.time_since_epoch().count()) * 1000;
}

std::unexpected<Failure> damaged() {
    return std::unexpected(Failure{
        .error = CommandError::refused, .text = "CORRUPT entry of the outbox"});
}

}  // namespace

OutboxReader::OutboxReader(unsigned shard, Connection& connection, const base::Clock& clock)
    : keys_(shard), connection_(connection), clock_(clock) {}

// The shard's clock may be off any wall clock, but not from one entry to the next: so the place of
// a time is reckoned from the first entry, which has both.
Result<std::optional<domain::Order>> OutboxReader::find(domain::OrderId id) {
    const base::MonotonicTime give_up = clock_.monotonic() + find_patience;
    const auto first = edge("XRANGE");
    if (!first) return std::unexpected(first.error());
    const auto last = edge("XREVRANGE");
    if (!last) return std::unexpected(last.error());
    if (!*first || !*last) return std::nullopt;
    const auto oldest = read_entry(bytes_of_entry(**first));
    const auto newest = read_entry(bytes_of_entry(**last));
    if (!oldest || !newest) return damaged();

    const Moment made = (id.high >> static_cast<unsigned>(id_time_shift)) * 1000;
    const auto far_us =
        static_cast<Moment>(std::chrono::microseconds{domain::id_clocks_apart_max}.count());
    if (made + far_us < microseconds_of(oldest->accepted_at)) return std::nullopt;
    if (made > microseconds_of(newest->accepted_at) + far_us) return std::nullopt;
    const Moment about = oldest->moment + made - microseconds_of(oldest->accepted_at);
    auto found = search(id, about - std::min(about, near_us), about + near_us, give_up);
    if (!found || *found) return found;
    return search(id, 0, std::numeric_limits<std::int64_t>::max(), give_up);
}

Result<std::optional<domain::Order>> OutboxReader::search(
    domain::OrderId id, Moment from, Moment to, base::MonotonicTime give_up
) {
    while (from <= to) {
        if (clock_.monotonic() > give_up) {
            return std::unexpected(Failure{
                .error = CommandError::not_sent, .text = "too much waits to look through it"});
        }
        const auto piece = connection_.command(
            {"XRANGE",
             keys_.outbox,
             std::to_string(from),
             std::to_string(to),
             "COUNT",
             entries_a_look}
        );
        if (!piece) return std::unexpected(piece.error());
        if (piece->items.empty()) return std::nullopt;
        for (const Reply& each : piece->items) {
            auto entry = read_entry(bytes_of_entry(each));
            if (!entry) return damaged();
            const auto event = std::ranges::find(entry->events, id, &domain::Event::id);
            if (event != entry->events.end()) {
                event->order.durability = domain::Durability::redis;
                return event->order;
            }
            from = entry->moment + 1;
        }
    }
    return std::nullopt;
}

Result<std::optional<Reply>> OutboxReader::edge(std::string_view command) {
    const bool first = command == "XRANGE";
    auto entries = connection_.command(
        {command, keys_.outbox, first ? "-" : "+", first ? "+" : "-", "COUNT", "1"}
    );
    if (!entries) return std::unexpected(entries.error());
    if (entries->items.empty()) return std::nullopt;
    return std::move(entries->items.front());
}

Result<std::optional<Moment>> OutboxReader::end() {
    const auto last = edge("XREVRANGE");
    if (!last) return std::unexpected(last.error());
    if (!*last) return std::nullopt;
    const auto moment = moment_of(**last);
    if (!moment) return damaged();
    return moment;
}

Result<std::uint64_t> OutboxReader::pending() {
    const auto first = edge("XRANGE");
    if (!first) return std::unexpected(first.error());
    const auto last = edge("XREVRANGE");
    if (!last) return std::unexpected(last.error());
    if (!*first || !*last) return 0;
    const auto oldest = read_entry(bytes_of_entry(**first));
    const auto newest = read_entry(bytes_of_entry(**last));
    if (!oldest || !newest) return damaged();
    return newest->placed_before + newest->events.size() - oldest->placed_before;
}

Result<bool> OutboxReader::has_passed(Moment end) {
    const auto first = edge("XRANGE");
    if (!first) return std::unexpected(first.error());
    if (!*first) return true;
    const auto moment = moment_of(**first);
    if (!moment) return damaged();
    return *moment > end;
}

}  // namespace firstcome::redis
