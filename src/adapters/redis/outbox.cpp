// src/adapters/redis/outbox.cpp - what was decided and is not stored yet: a shard's stream
#include "adapters/redis/outbox.hpp"

#include "adapters/redis/item_fields.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

namespace firstcome::redis {

using ports::OutboxError;

namespace {

constexpr std::chrono::milliseconds answer_time{2000};  // beyond the waiting itself

std::unexpected<OutboxError> not_understood(unsigned shard) {
    log::error("Redis answers about the outbox what is not understood", {{"shard", shard}});
    return std::unexpected(OutboxError::unavailable);
}

}  // namespace

Outbox::Outbox(
    unsigned shard,
    Connection& connection,
    ports::SystemOfRecord& record,
    const base::Clock& clock,
    Handshake::Options handshake
)
    : calls_(handshake, shard, connection, record, clock), record_(record), clock_(clock) {}

std::expected<std::vector<domain::Event>, OutboxError> Outbox::pull(
    std::size_t max, std::chrono::milliseconds wait
) {
    FC_ASSERT(max > 0);
    while (true) {
        const auto look = read(max, wait);
        if (!look) return std::unexpected(look.error());
        if (look->streams.items.empty()) {
            pulled_.clear();
            damage_.clear();
            waiting_.set(look->placed, std::nullopt);
            return std::vector<domain::Event>{};
        }
        const Reply& stream = look->streams.items.front();  // its name and its entries
        if (stream.items.size() != 2 || stream.items[1].items.empty()) {
            return not_understood(calls_.keys().shard);
        }
        const auto& entries = stream.items[1].items;
        if (const auto head = read_entry_head(bytes_of_entry(entries.front()))) {
            waiting_.set(look->placed, head);
        }
        auto events = take(entries, max);
        if (!events || !events->empty()) return events;
        // No order in any of them: nobody will acknowledge them but we.
        if (const auto done = acknowledge({}); !done) return std::unexpected(done.error());
        wait = {};
    }
}

// The epoch is read with the entries: on a connection that has waited, it may be another one.
std::expected<Outbox::Look, OutboxError> Outbox::read(
    std::size_t max, std::chrono::milliseconds wait
) {
    const ShardKeys& keys = calls_.keys();
    // And one more, which may say what was declared of those before it.
    const std::string count = std::to_string(1 + std::max<std::size_t>(1, max / entry_size_));
    const std::string wait_ms = std::to_string(wait.count());
    std::vector<std::string_view> read{"XREAD", "COUNT", count};
    if (wait.count() > 0) read.insert(read.end(), {"BLOCK", wait_ms});
    read.insert(read.end(), {"STREAMS", keys.outbox, "0"});
    const std::vector<std::string_view> shard{"MGET", keys.epoch, keys.placed};
    const std::array<Words, 2> commands{Words{read}, Words{shard}};
    for (int tries = 0; tries < 2; ++tries) {
        const auto life = calls_.life();
        if (!life) return std::unexpected(OutboxError::unavailable);
        if (epoch_ != life->epoch) pulled_.clear();
        epoch_ = life->epoch;
        auto replies = calls_.pipeline(commands, wait + answer_time);
        if (!replies) return std::unexpected(OutboxError::unavailable);
        Reply& now = replies->back();
        if (now.items.size() != 2 || replies->front().is(Reply::Kind::error)) {
            return not_understood(keys.shard);
        }
        if (now.items[0].says(life->number)) {
            const auto placed = number_in(now.items[1]).value_or(0);
            return Look{
                .streams = std::move(replies->front()),
                .placed = static_cast<std::uint64_t>(placed)};
        }
        calls_.doubt();
    }
    return std::unexpected(OutboxError::unavailable);
}

// Of the first entry a part may be acknowledged already; the relay is given what is left of it.
std::expected<std::vector<domain::Event>, OutboxError> Outbox::take(
    std::span<const Reply> entries, std::size_t max
) {
    const Pulled first = pulled_.empty() ? Pulled{} : pulled_.front();
    pulled_.clear();
    std::vector<domain::Event> events;
    // What stands before a damaged entry goes on its way first.
    for (const Reply& each : entries) {
        const auto moment = moment_of(each);
        auto entry = read_entry(bytes_of_entry(each));
        if ((!moment || !entry) && pulled_.empty()) return damaged(each);
        if (!moment || !entry) {
            lower(events);
            return events;
        }
        auto& fresh = entry->events;
        if (events.size() >= max && !fresh.empty()) break;
        if (!fresh.empty()) {
            entry_size_ = std::max<std::size_t>(1, (entry_size_ + fresh.size()) / 2);
        }
        if (first.left > 0 && first.moment == *moment) {
            const auto done = fresh.size() - std::min(fresh.size(), first.left);
            fresh.erase(fresh.begin(), fresh.begin() + static_cast<std::ptrdiff_t>(done));
        }
        pulled_.push_back(
            {.moment = *moment, .left = fresh.size(), .declared = std::move(entry->declared)}
        );
        std::ranges::move(fresh, std::back_inserter(events));
    }
    damage_.clear();
    lower(events);
    return events;
}

/// So that they are stored right the first time. The record is told all the same when they are
/// acknowledged: some may be stored already, as they were read before.
void Outbox::lower(std::span<domain::Event> events) const {
    std::set<domain::OrderId> declared;
    for (const Pulled& each : pulled_) declared.insert(each.declared.begin(), each.declared.end());
    if (declared.empty()) return;
    for (domain::Event& event : events) {
        if (declared.contains(event.order.id)) event.order.durability = domain::Durability::redis;
    }
}

std::unexpected<OutboxError> Outbox::damaged(const Reply& entry) {
    const std::string text = damage_text(calls_.keys(), entry);
    if (damage_.set(text)) log::error(text, {{"shard", calls_.keys().shard}});
    return std::unexpected(OutboxError::unavailable);
}

std::expected<void, OutboxError> Outbox::acknowledge(std::span<const domain::Event> events) {
    const auto before = pulled_;
    std::vector<domain::OrderId> declared;
    const auto last = count_off(events.size(), declared);
    if (!last) return {};
    if (!declared.empty() && !record_.declare(declared)) {
        pulled_ = before;
        return std::unexpected(OutboxError::unavailable);
    }
    // A moment means nothing in another epoch: there, none is acknowledged.
    bool same_epoch = true;
    const auto reply = calls_.eval(scripts().acknowledge, [&](const Life& life) {
        same_epoch = life.epoch == epoch_;
        return ShardCalls::Arguments{std::to_string(same_epoch ? *last : 0)};
    });
    if (!reply || !same_epoch) {
        pulled_ = before;
        return std::unexpected(OutboxError::unavailable);
    }
    if (!waiting_.read(*reply)) return not_understood(calls_.keys().shard);
    return {};
}

/// The last entry that is acknowledged whole with these events; nothing: none is. What entries up
/// to it declare is of orders that are stored or parked by now.
std::optional<Moment> Outbox::count_off(
    std::size_t events, std::vector<domain::OrderId>& declared
) {
    std::optional<Moment> last;
    while (!pulled_.empty()) {
        Pulled& entry = pulled_.front();
        const std::size_t now = std::min(events, entry.left);
        entry.left -= now;
        events -= now;
        if (entry.left > 0) break;
        last = entry.moment;
        declared.insert(declared.end(), entry.declared.begin(), entry.declared.end());
        pulled_.pop_front();
    }
    FC_ASSERT(events == 0);
    return last;
}

}  // namespace firstcome::redis
