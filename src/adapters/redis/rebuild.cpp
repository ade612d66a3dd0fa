// src/adapters/redis/rebuild.cpp - gives a shard's Redis the memory that the record says it had
#include "adapters/redis/rebuild.hpp"

#include "adapters/redis/item_fields.hpp"
#include "base/assert.hpp"
#include "base/failpoint.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <charconv>

namespace firstcome::redis {

using domain::Durability;
using ports::RecordedItem;
using ports::RecordedKey;
using ports::RecordError;

namespace {

constexpr std::size_t failed_orders_max = 100'000;  // not given back yet: a handful, ever

std::unexpected<RecordError> failed(const Failure& failure, unsigned shard) {
    if (failure.error == CommandError::refused && failure.code() == "STALE") {
        return std::unexpected(RecordError::not_ours);
    }
    log::warn("a rebuild stops", {{"shard", shard}, {"error", failure.text}});
    return std::unexpected(RecordError::unavailable);
}

domain::WallTime wall_time_of(std::int64_t milliseconds) {
    return domain::WallTime{std::chrono::milliseconds{milliseconds}};
}

std::int64_t microseconds_of(std::chrono::milliseconds time) {
    return std::chrono::microseconds{time}.count();
}

}  // namespace

Rebuild::Rebuild(
    const RebuildOptions& options,
    Connection& connection,
    ports::SystemOfRecord& record,
    const base::Clock& clock,
    Progress progress
)
    : options_(options),
      connection_(connection),
      record_(record),
      clock_(clock),
      progress_(std::move(progress)),
      calls_(
          {.ask_again = {}, .newest = options.newest}, options.shard, connection, record, clock
      ) {
    FC_ASSERT(options.key_ttl.count() > 0);
    FC_ASSERT(options.writes_a_call > 0 && options.writes_a_call <= 1000);
}

bool Rebuild::keep() {
    if (clock_.monotonic() >= look_at_) {
        calls_.look_again();
        look_at_ = clock_.monotonic() + options_.look_every;
    }
    auto life = calls_.life();
    if (life) {
        const auto there = calls_.command({"MGET", calls_.keys().epoch, calls_.keys().ttl});
        if (!there || there->items.size() != 2) return false;
        if (!there->items[1].says(lifetime())) return run().has_value();
        if (there->items[0].says(life->number)) return true;
        calls_.doubt();
        life = calls_.life();  // it may be in another one by now, and be right in it
        if (life) return true;
    }
    if (life.error() != ports::LedgerError::rebuilding) return false;
    return run().has_value();
}

std::expected<Rebuilt, RecordError> Rebuild::run() {
    done_ = {};
    waiting_.clear();
    declared_.clear();
    stored_until_ = 0;
    beat_at_ = clock_.monotonic() + options_.beat_every;
    tell_at_ = {};
    calls_.doubt();
    if (!connection_.connect()) return std::unexpected(RecordError::unavailable);
    const auto epoch = next_epoch();
    if (!epoch) return std::unexpected(epoch.error());
    done_.epoch = *epoch;
    log::info("rebuilding a shard's Redis", {{"shard", options_.shard}, {"epoch", epoch->number}});
    base::failpoint("rebuild_advanced");
    const auto begun = begin();
    if (!begun) return std::unexpected(begun.error());
    done_.was_empty = begun->empty;
    if (auto counted = count_outbox(*begun); !counted) return std::unexpected(counted.error());
    if (auto written = write_items(); !written) return std::unexpected(written.error());
    base::failpoint("rebuild_items_written");
    if (auto written = write_keys(*begun); !written) return std::unexpected(written.error());
    declared_.clear();
    if (auto opened = open(*begun); !opened) return std::unexpected(opened.error());
    trouble_.clear();
    log::info(
        "a shard's Redis is rebuilt",
        {{"shard", options_.shard},
         {"epoch", epoch->number},
         {"items", done_.items},
         {"waiting", done_.waiting},
         {"keys", done_.keys},
         {"was_empty", done_.was_empty}}
    );
    return done_;
}

// A server that is not the recorded one may be one that was left behind: the way there is looked
// for anew before its word is made the one that counts.
std::expected<ports::Epoch, RecordError> Rebuild::next_epoch() {
    const auto recorded = record_.epoch(options_.shard);
    if (!recorded) return recorded;
    if (recorded->run_id != connection_.server().life()) {
        connection_.close();
        if (!connection_.connect()) return std::unexpected(RecordError::unavailable);
    }
    generation_ = connection_.generation();
    auto next = record_.advance_epoch(options_.shard, *recorded, connection_.server().life());
    if (next && options_.newest != nullptr) options_.newest->heard(next->number);
    return next;
}

// A rebuild may take longer than a silent leader keeps the lead; without this two nodes would take
// it from each other for ever, each beginning anew.
std::expected<void, RecordError> Rebuild::keep_lead() {
    const base::MonotonicTime now = clock_.monotonic();
    if (now >= give_up_at_.load()) return std::unexpected(RecordError::unavailable);
    if (now < beat_at_) return {};
    const auto ours = record_.lead(options_.shard);
    if (!ours) return std::unexpected(ours.error());
    if (!*ours) return std::unexpected(RecordError::not_ours);
    beat_at_ = now + options_.beat_every;
    return {};
}

std::expected<Reply, RecordError> Rebuild::step(
    std::string_view name, std::span<const std::string> rest
) {
    if (auto kept = keep_lead(); !kept) return std::unexpected(kept.error());
    const ShardKeys& keys = calls_.keys();
    const std::string number = std::to_string(done_.epoch.number);
    std::vector<std::string_view> words{keys.prefix, number, name};
    words.insert(words.end(), rest.begin(), rest.end());
    const std::string_view epoch_key = keys.epoch;
    auto reply = connection_.eval(
        scripts().rebuild, Words{&epoch_key, 1}, words, {.generation = generation_}
    );
    if (!reply) return failed(reply.error(), options_.shard);
    return std::move(*reply);
}

// Reply: server's time, moment, seen, placed, whether there was an outbox, its last entry, and
// whether the keys are kept.
std::expected<Rebuild::Begun, RecordError> Rebuild::begin() {
    const std::string ttl = lifetime();
    const auto reply = step("begin", {&ttl, 1});
    if (!reply) return std::unexpected(reply.error());
    if (reply->items.size() != 7) return std::unexpected(RecordError::unavailable);
    const std::int64_t server_us = reply->items[0].integer;
    const auto moment = number_in(reply->items[1]);
    const auto seen = number_in(reply->items[2]);
    const auto placed = number_in(reply->items[3]);
    const std::string& last_id = reply->items[5].text;
    Moment last = 0;
    std::from_chars(last_id.data(), last_id.data() + last_id.size(), last);
    const auto known = static_cast<Moment>(moment.value_or(server_us));
    return Begun{
        .now = options_.server_time ? wall_time_of(server_us / 1000) : clock_.wall(),
        .seen = wall_time_of(seen.value_or(0)),
        .moment = std::max(known, last + 1),
        .placed = static_cast<std::uint64_t>(placed.value_or(0)),
        .empty = !moment || !seen || reply->items[4].integer == 0,
        .keys_kept = reply->items[6].integer == 1};
}

// From its end: what was declared about an order stands behind it.
std::expected<void, RecordError> Rebuild::count_outbox(const Begun& begun) {
    const std::string count = std::to_string(options_.entries_a_look);
    std::string until = "+";
    while (true) {
        const auto piece = connection_.command(
            {"XREVRANGE", calls_.keys().outbox, until, "-", "COUNT", count},
            {.generation = generation_}
        );
        if (!piece) return failed(piece.error(), options_.shard);
        if (piece->items.empty()) return {};
        if (auto counted = count_entries(begun, piece->items); !counted) return counted;
        const auto first = moment_of(piece->items.back());
        if (!first) return std::unexpected(RecordError::corrupt);
        if (*first == 0) return {};
        until = std::to_string(*first - 1);
        tell("outbox", done_.waiting);
    }
}

// Keys of orders on their way are known here only; of the others the record tells.
std::expected<void, RecordError> Rebuild::count_entries(
    const Begun& begun, std::span<const Reply> entries
) {
    if (auto kept = keep_lead(); !kept) return kept;
    std::vector<OutboxEntry> read;
    std::vector<domain::OrderId> ids;
    std::vector<Key> keys;
    for (const Reply& each : entries) {
        auto entry = read_entry(bytes_of_entry(each));
        if (!entry) {
            const std::string text = damage_text(calls_.keys(), each);
            if (trouble_.set(text)) log::error(text, {{"shard", options_.shard}});
            return std::unexpected(RecordError::corrupt);
        }
        declared_.insert(entry->declared.begin(), entry->declared.end());
        for (domain::Event& event : entry->events) {
            if (declared_.erase(event.order.id) > 0) event.order.durability = Durability::redis;
            if (event.key) keys.push_back({*event.key, {event.order, entry->moment, false}});
            ids.push_back(event.order.id);
        }
        read.push_back(std::move(*entry));
    }
    const auto stored = record_.stored(ids);
    if (!stored) return std::unexpected(stored.error());
    for (const OutboxEntry& entry : read) count_entry(entry, *stored);
    if (begun.keys_kept) return {};
    return write_keys(begun, keys);
}

void Rebuild::count_entry(const OutboxEntry& entry, const std::set<domain::OrderId>& stored) {
    bool open = entry.events.empty();
    for (const domain::Event& event : entry.events) {
        const domain::Order& order = event.order;
        Waiting& waiting = waiting_[order.item];
        waiting.sequence = std::max(waiting.sequence, order.sequence);
        if (stored.contains(order.id)) continue;
        open = true;
        waiting.units += order.quantity;
        waiting.users[order.user] += order.quantity;
        ++done_.waiting;
    }
    // They are stored in the order they stand here.
    if (!open) stored_until_ = std::max(stored_until_, entry.moment);
}

std::expected<void, RecordError> Rebuild::write_items() {
    const auto items = record_.items(options_.shard);
    if (!items) return std::unexpected(items.error());
    std::vector<domain::ItemId> limited;
    for (const RecordedItem& item : *items) {
        if (auto written = write_item(item); !written) return written;
        if (item.figures.per_user_limit) limited.push_back(item.figures.item);
        tell("items", ++done_.items);
    }
    const auto bought = count_bought(limited);
    if (!bought) return std::unexpected(bought.error());
    for (const auto& [item, users] : *bought) {
        if (auto written = write_bought(item, users); !written) return written;
    }
    return {};
}

// What was failed and is not known to be back counts as taken: its release comes after the opening.
std::expected<void, RecordError> Rebuild::write_item(const RecordedItem& item) {
    const domain::StockFigures& recorded = item.figures;
    const Waiting& waiting = waiting_[recorded.item];
    domain::Units remaining =
        recorded.total() - recorded.sold - recorded.compensating - waiting.units;
    if (remaining < 0) {
        log::error(
            "more is sold than there is", {{"item", recorded.item.text()}, {"units", -remaining}}
        );
        remaining = 0;
    }
    const domain::Units sold = recorded.total() - remaining;
    const std::vector<std::string> words{
        std::string(recorded.item.text()),
        std::to_string(recorded.initial),
        std::to_string(recorded.restocked),
        std::to_string(remaining),
        std::to_string(sold),
        std::to_string(std::max(recorded.orders, waiting.sequence)),
        text_of(recorded.window.opens_at),
        text_of(recorded.window.closes_at),
        text_of(recorded.per_user_limit),
        std::to_string(item.movement)};
    const auto written = step("item", words);
    if (!written) return std::unexpected(written.error());
    return {};
}

std::expected<void, RecordError> Rebuild::write_bought(
    const domain::ItemId& item, const std::map<domain::UserId, domain::Units>& bought
) {
    std::vector<std::string> words{std::string(item.text())};
    const auto write = [&]() -> Result<void> {
        if (words.size() == 1) return {};
        const auto written = step("bought", words);
        words.resize(1);
        if (!written) return std::unexpected(written.error());
        return {};
    };
    for (const auto& [user, units] : bought) {
        words.emplace_back(user.text());
        words.push_back(std::to_string(units));
        if (words.size() < 2 * options_.writes_a_call) continue;
        if (auto written = write(); !written) return written;
    }
    return write();
}

// All at once: counting reads all orders there are, however few the items. An order that failed
// holds its units until they are back, so it counts here until then. Two reads see it on one side
// each; while one fails in between, they are made again.
std::expected<ports::SystemOfRecord::Bought, RecordError> Rebuild::count_bought(
    std::span<const domain::ItemId> items
) {
    if (items.empty()) return {};
    auto failing = record_.not_given_back(options_.shard, failed_orders_max);
    while (failing) {
        Result<void> kept{};
        auto bought = record_.bought(items, [&] { return (kept = keep_lead()).has_value(); });
        if (!kept) return std::unexpected(kept.error());
        if (!bought) return std::unexpected(bought.error());
        auto still = record_.not_given_back(options_.shard, failed_orders_max);
        if (!still) return std::unexpected(still.error());
        const bool same =
            std::ranges::equal(*failing, *still, {}, &domain::Order::id, &domain::Order::id);
        failing = std::move(still);
        if (!same) continue;
        for (const domain::ItemId& item : items) {
            for (const auto& [user, units] : waiting_[item].users) (*bought)[item][user] += units;
        }
        for (const domain::Order& order : *failing) {
            const bool limited = std::ranges::find(items, order.item) != items.end();
            if (limited) (*bought)[order.item][order.user] += order.quantity;
        }
        return bought;
    }
    return std::unexpected(failing.error());
}

std::expected<void, RecordError> Rebuild::write_keys(const Begun& begun) {
    const domain::WallTime oldest = begun.now - options_.key_ttl;
    const bool all = begun.empty || !begun.keys_kept;
    const domain::WallTime since =
        all ? oldest : std::max(oldest, begun.seen - options_.clocks_apart);
    Result<void> written{};
    const auto read = record_.keys(options_.shard, since, [&](std::span<const RecordedKey> piece) {
        if (written = keep_lead(); !written) return false;
        std::vector<Key> keys;
        for (const RecordedKey& each : piece) {
            const auto age =
                std::max(std::chrono::milliseconds{0}, begun.now - each.order.accepted_at);
            const auto age_us = static_cast<Moment>(microseconds_of(age));
            if (age_us >= begun.moment) continue;
            keys.push_back({each.key, {each.order, begun.moment - age_us, true}});
            domain::Order& order = keys.back().remembered.order;
            if (declared_.erase(order.id) > 0) order.durability = Durability::redis;
        }
        written = write_keys(begun, keys);
        return written.has_value();
    });
    if (!written) return written;
    return read;
}

std::expected<void, RecordError> Rebuild::write_keys(
    const Begun& begun, std::span<const Key> keys
) {
    while (!keys.empty()) {
        const auto piece = keys.first(std::min(keys.size(), options_.writes_a_call));
        keys = keys.subspan(piece.size());
        std::vector<std::string> words{lifetime(), std::to_string(begun.moment)};
        for (const Key& each : piece) {
            words.push_back(bytes_of(each.hash));
            words.push_back(std::to_string(each.remembered.moment));
            words.push_back(record_of(each.remembered));
        }
        const auto written = step("keys", words);
        if (!written) return std::unexpected(written.error());
        done_.keys += piece.size();
        tell("keys", done_.keys);
    }
    return {};
}

std::string Rebuild::lifetime() const {
    return std::to_string(microseconds_of(options_.key_ttl));
}

std::expected<void, RecordError> Rebuild::open(const Begun& begun) {
    base::failpoint("rebuild_before_open");
    const std::vector<std::string> words{
        std::to_string(begun.moment),
        std::to_string(begun.now.time_since_epoch().count()),
        std::to_string(begun.placed),
        lifetime(),
        std::to_string(stored_until_)};
    const auto opened = step("open", words);
    if (!opened) return std::unexpected(opened.error());
    return {};
}

void Rebuild::tell(std::string_view stage, std::uint64_t done) {
    const base::MonotonicTime now = clock_.monotonic();
    if (!progress_ || now < tell_at_) return;
    tell_at_ = now + options_.tell_every;
    progress_(stage, done);
}

}  // namespace firstcome::redis
