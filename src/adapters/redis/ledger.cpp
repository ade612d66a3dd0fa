// src/adapters/redis/ledger.cpp - stop 7 of 7 with many nodes: a batch decided by place.lua
#include "adapters/redis/ledger.hpp"

#include "base/assert.hpp"
#include "base/failpoint.hpp"
#include "domain/replay.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

namespace firstcome::redis {

using domain::Accepted;
using domain::Durability;
using domain::Order;
using domain::OrderStatus;
using domain::Outcome;
using domain::Rejected;
using domain::Rejection;
using ports::LedgerError;

namespace {

constexpr std::size_t promises_a_call = 64;     // each may name a whole batch of others
constexpr std::size_t batch_max = 1024;         // Lua unpacks no more than some thousand values
constexpr std::chrono::seconds current_for{1};  // figures, without a word from the server
constexpr std::chrono::seconds look_every{1};   // whether the server kept its memory, by itself

domain::WallTime wall_time_of(std::int64_t milliseconds) {
    return domain::WallTime{std::chrono::milliseconds{milliseconds}};
}

std::int64_t microseconds_of(std::chrono::nanoseconds time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

/// The figure after the `n`th space of a refusal's text; 0 where there is none.
std::int64_t figure(std::string_view text, int n) {
    for (; n > 0; --n) {
        const std::size_t space = text.find(' ');
        if (space == std::string_view::npos) return 0;
        text.remove_prefix(space + 1);
    }
    const Reply as_text{
        .kind = Reply::Kind::text, .text = std::string(text.substr(0, text.find(' ')))};
    return number_in(as_text).value_or(0);
}

std::optional<Rejected> read_refusal(std::string_view text, domain::WallTime now) {
    const auto is_named = [&](Rejection why) {
        return text.substr(0, text.find(' ')) == name(why);
    };
    const auto* const why = std::ranges::find_if(domain::rejections, is_named);
    if (why == domain::rejections.end()) return std::nullopt;
    switch (*why) {
        case Rejection::sold_out:
        case Rejection::item_not_found: return Rejected{.why = *why};
        case Rejection::insufficient_stock:
            return Rejected{.why = *why, .remaining = figure(text, 1)};
        case Rejection::user_limit_exceeded:
            return Rejected{.why = *why, .limit = figure(text, 1), .used = figure(text, 2)};
        case Rejection::sale_not_open:
        case Rejection::sale_closed:
            return Rejected{.why = *why, .at = wall_time_of(figure(text, 1)), .decided_at = now};
        case Rejection::idempotency_key_reused:
        case Rejection::idempotency_in_progress: break;
    }
    return std::nullopt;
}

std::unexpected<LedgerError> not_understood(unsigned shard, std::string_view what) {
    log::error("Redis answers what place.lua does not say", {{"shard", shard}, {"part", what}});
    return std::unexpected(LedgerError::outcome_unknown);
}

}  // namespace

Ledger::Ledger(
    const LedgerOptions& options,
    Connection& connection,
    ports::SystemOfRecord& record,
    const base::Clock& clock,
    base::Entropy& entropy,
    Rest rest
)
    : options_(options),
      clock_(clock),
      record_(record),
      rest_(std::move(rest)),
      calls_(options.handshake, options.shard, connection, record, clock),
      ids_(options.shard, 0, entropy) {
    FC_ASSERT(options.level != Durability::disk);
}

std::expected<void, LedgerError> Ledger::place(
    std::span<const domain::OrderRequest> batch, std::span<Outcome> outcomes
) {
    FC_ASSERT(!batch.empty() && batch.size() <= batch_max);
    FC_ASSERT(batch.size() == outcomes.size());
    const Asked asked = pack(batch);
    base::failpoint("before_decide");
    const auto reply = calls_.eval(scripts().place, [&](const Life& life) {
        if (life.epoch != moment_epoch_) moment_ = 0;
        moment_epoch_ = life.epoch;
        return place_arguments(asked, life);
    });
    if (!reply) return std::unexpected(reply.error().error);
    base::failpoint("after_decide");
    heard();
    promises_.clear();
    if (auto read = read_answer(asked, *reply, outcomes); !read) return read;
    const bool any_yes = std::ranges::any_of(outcomes, [](const Outcome& each) {
        return std::holds_alternative<Accepted>(each);
    });
    if (any_yes && options_.replicas_required > 0) {
        if (auto kept = wait_for_replicas(); !kept) return kept;
    }
    if (!promises_.empty()) {
        if (options_.decided) options_.decided();
        if (auto kept = keep_promises(asked, outcomes); !kept) return kept;
    }
    base::failpoint("before_reply");
    return {};
}

Ledger::Asked Ledger::pack(std::span<const domain::OrderRequest> batch) {
    Asked asked{.batch = batch, .ids = {}, .items = {}};
    asked.ids.reserve(batch.size());
    asked.orders.heads.reserve(batch.size() * 40);
    asked.orders.rests.reserve(batch.size() * 64);
    std::unordered_map<domain::ItemId, std::uint16_t> places;
    const domain::WallTime now = clock_.wall();
    for (const domain::OrderRequest& request : batch) {
        const auto [place, is_new] =
            places.try_emplace(request.item, static_cast<std::uint16_t>(places.size() + 1));
        if (is_new) asked.items.push_back(request.item);
        asked.ids.push_back(ids_.next(now));
        pack_order(asked.orders, place->second, request, asked.ids.back());
    }
    return asked;
}

ShardCalls::Arguments Ledger::place_arguments(const Asked& asked, const Life&) const {
    const auto now = clock_.wall().time_since_epoch().count();
    const auto lived = microseconds_of(clock_.monotonic() - moment_heard_);
    const Moment moment = moment_ == 0 ? 0 : moment_ + static_cast<Moment>(lived);
    ShardCalls::Arguments arguments{
        options_.server_time ? std::string{} : std::to_string(now),
        std::to_string(moment),
        std::to_string(options_.outbox_entries_max),
        options_.level == Durability::redis ? "r" : "d",
        asked.orders.heads,
        asked.orders.rests};
    for (const domain::ItemId& item : asked.items) arguments.emplace_back(item.text());
    return arguments;
}

// Reply: answers, figures of the items sold from, now, moment.
std::expected<void, LedgerError> Ledger::read_answer(
    const Asked& asked, const Reply& reply, std::span<Outcome> outcomes
) {
    if (reply.items.size() != 4 || reply.items[0].items.size() != asked.batch.size()) {
        return not_understood(options_.shard, "the whole");
    }
    const domain::WallTime now = wall_time_of(reply.items[2].integer);
    moment_ = static_cast<Moment>(reply.items[3].integer);
    moment_heard_ = clock_.monotonic();
    for (std::size_t at = 0; at < outcomes.size(); ++at) {
        auto outcome = read_outcome(asked, at, reply.items[0].items[at], now);
        if (!outcome) return std::unexpected(outcome.error());
        outcomes[at] = *outcome;
    }
    if (!publish(reply.items[1], asked, now)) return not_understood(options_.shard, "figures");
    return {};
}

std::expected<Outcome, LedgerError> Ledger::read_outcome(
    const Asked& asked, std::size_t at, const Reply& answer, domain::WallTime now
) {
    const domain::OrderRequest& request = asked.batch[at];
    if (answer.is(Reply::Kind::integer)) {
        if (options_.level == Durability::database) promises_.push_back({at, moment_});
        return Accepted{
            .order = Order{
                .id = asked.ids[at],
                .user = request.user,
                .item = request.item,
                .quantity = request.quantity,
                .sequence = static_cast<domain::Sequence>(answer.integer),
                .accepted_at = now,
                .status = OrderStatus::processing,
                .durability = options_.level}};
    }
    if (answer.is(Reply::Kind::text)) {
        const auto refusal = read_refusal(answer.text, now);
        if (!refusal) return not_understood(options_.shard, answer.text);
        return *refusal;
    }
    if (answer.items.size() != 1) return not_understood(options_.shard, "an answer");
    const auto first = read_record(answer.items.front().text, request.user);
    if (!first) return not_understood(options_.shard, "a remembered order");
    Outcome outcome = domain::replay(request, first->order);
    const bool promised = first->order.durability == Durability::database && !first->stored;
    if (promised && std::holds_alternative<Accepted>(outcome)) {
        promises_.push_back({at, first->moment});
    }
    return outcome;
}

bool Ledger::publish(const Reply& figures, const Asked& asked, domain::WallTime now) {
    for (const Reply& fields : figures.items) {
        if (fields.items.size() != item_fields.size() + 1) return false;
        const auto place = static_cast<std::size_t>(fields.items.back().integer);
        if (place < 1 || place > asked.items.size()) return false;
        const auto live = read_item(asked.items[place - 1], fields, now);
        if (!live) return false;
        board_.publish(live->figures);
    }
    return true;
}

// WAIT asks about what this connection has written: from Redis 7.2 on, one that only found replays,
// or was made after the script, would be told of nothing to wait for. Replicas get writes in order,
// so a write of our own stands for all before it.
std::expected<void, LedgerError> Ledger::wait_for_replicas() {
    const std::string count = std::to_string(options_.replicas_required);
    const std::string wait_ms = std::to_string(options_.replica_wait.count());
    const std::array<std::string_view, 3> write{"SET", calls_.keys().waited, count};
    const std::array<std::string_view, 3> wait{"WAIT", count, wait_ms};
    const std::array<Words, 2> commands{Words{write}, Words{wait}};
    const auto replies = calls_.pipeline(commands, options_.replica_wait * 2);
    const bool kept = replies && replies->front().says("OK") &&
                      replies->back().is(Reply::Kind::integer) &&
                      replies->back().integer >= std::int64_t{options_.replicas_required};
    if (!kept) return std::unexpected(LedgerError::outcome_unknown);
    return {};
}

std::expected<void, LedgerError> Ledger::keep_promises(
    const Asked& asked, std::span<Outcome> outcomes
) {
    const auto last = std::ranges::max(promises_, {}, &Promise::moment).moment;
    const auto waited = wait_until_relayed(last, moment_epoch_);
    if (!waited) return std::unexpected(waited.error());
    if (!waited->relayed && options_.when_slow == LedgerOptions::WhenSlow::wait) {
        return std::unexpected(LedgerError::outcome_unknown);
    }
    // Another node may have waited for a key of this batch, shorter than we, and declared it.
    if (waited->relayed) {
        std::erase_if(promises_, [&](const Promise& promise) {
            return promise.moment > waited->declared;
        });
    }
    std::span<const Promise> open{promises_};
    while (!open.empty()) {
        const auto piece = open.first(std::min(open.size(), promises_a_call));
        open = open.subspan(piece.size());
        auto settled = settle(asked, piece, outcomes, !waited->relayed);
        if (!settled) return settled;
    }
    return {};
}

// Another life may have lost the entry that is waited for, whatever it has relayed since: so all
// are read in one step.
std::expected<Ledger::Waited, LedgerError> Ledger::wait_until_relayed(
    Moment moment, const ports::Epoch& epoch
) {
    const base::MonotonicTime deadline = clock_.monotonic() + options_.commit_wait;
    const ShardKeys& keys = calls_.keys();
    while (true) {
        const auto now = calls_.command({"MGET", keys.epoch, keys.relayed, keys.declared});
        const bool same =
            now && now->items.size() == 3 && now->items[0].says(std::to_string(epoch.number));
        if (!same) return std::unexpected(LedgerError::outcome_unknown);
        const auto relayed = static_cast<Moment>(number_in(now->items[1]).value_or(0));
        const auto declared = static_cast<Moment>(number_in(now->items[2]).value_or(0));
        if (relayed >= moment) return Waited{.relayed = true, .declared = declared};
        if (clock_.monotonic() >= deadline) return Waited{};
        rest_(options_.commit_poll);
    }
}

// A level that somebody declared meanwhile counts, or a repeat would be told another one.
std::expected<void, LedgerError> Ledger::settle(
    const Asked& asked, std::span<const Promise> promises, std::span<Outcome> outcomes, bool declare
) {
    ShardCalls::Arguments arguments{declare ? "declare" : ""};
    for (const Promise& promise : promises) {
        const auto& key = asked.batch[promise.at].key;
        arguments.push_back(key ? bytes_of(*key) : std::string{});
    }
    // In another life than the one that was waited in, what is found there says nothing of them.
    bool same_life = true;
    const auto reply = calls_.eval(scripts().settle, [&](const Life& life) {
        same_life = life.epoch == moment_epoch_;
        return same_life ? arguments : ShardCalls::Arguments{""};
    });
    if (!reply || !same_life) return std::unexpected(LedgerError::outcome_unknown);
    if (reply->items.size() != 2 || reply->items[1].items.size() != promises.size()) {
        return not_understood(options_.shard, "levels");
    }
    const auto relayed = static_cast<Moment>(reply->items[0].integer);
    for (std::size_t i = 0; i < promises.size(); ++i) {
        const Reply& level = reply->items[1].items[i];
        const bool database =
            level.is(Reply::Kind::nil) ? promises[i].moment <= relayed : level.says("d");
        std::get<Accepted>(outcomes[promises[i].at]).order.durability =
            database ? Durability::database : Durability::redis;
    }
    return {};
}

std::expected<void, LedgerError> Ledger::refresh() {
    if (clock_.monotonic() >= look_at_) {
        calls_.look_again();
        look_at_ = clock_.monotonic() + look_every;
    }
    const auto names = calls_.command({"SMEMBERS", calls_.keys().items});
    if (!names) return std::unexpected(names.error().error);
    std::vector<std::string> keys;
    for (const Reply& each : names->items) keys.push_back(calls_.keys().item(each.text));
    std::vector<std::vector<std::string_view>> words;
    std::vector<Words> commands;
    for (const std::string& key : keys) {
        words.push_back({"HMGET", key});
        words.back().insert(words.back().end(), item_fields.begin(), item_fields.end());
    }
    for (const auto& each : words) commands.emplace_back(each);
    if (auto read = refresh_waiting(); !read) return read;
    if (commands.empty()) {
        heard();
        return {};
    }
    const auto replies = calls_.pipeline(commands);
    if (!replies) return std::unexpected(replies.error().error);
    heard();
    const domain::WallTime now = clock_.wall();
    for (std::size_t i = 0; i < replies->size(); ++i) {
        const auto item = domain::ItemId::from(names->items[i].text);
        const auto live = item ? read_item(*item, (*replies)[i], now) : std::nullopt;
        if (live) board_.publish(live->figures);
    }
    return {};
}

void Ledger::heard() {
    heard_ns_.store(clock_.monotonic().time_since_epoch().count(), std::memory_order_relaxed);
}

bool Ledger::figures_are_current() const {
    const base::MonotonicTime heard{
        std::chrono::nanoseconds{heard_ns_.load(std::memory_order_relaxed)}};
    return clock_.monotonic() - heard <= current_for;
}

std::expected<void, LedgerError> Ledger::refresh_waiting() {
    const auto reply = calls_.eval(scripts().waiting, ShardCalls::Arguments{});
    if (!reply) return std::unexpected(reply.error().error);
    if (!waiting_.read(*reply)) return std::unexpected(LedgerError::unavailable);
    return {};
}

}  // namespace firstcome::redis
