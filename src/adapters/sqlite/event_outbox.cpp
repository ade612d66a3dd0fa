// src/adapters/sqlite/event_outbox.cpp - the log of orders, read as a line of events
#include "adapters/sqlite/event_outbox.hpp"

#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace firstcome::sqlite {

using domain::Event;
using domain::EventType;
using ports::OutboxError;

namespace {

using Done = std::expected<void, SqliteError>;

constexpr std::size_t events_per_order = 2;  // at least

// A valid UUIDv7 that sorts beside the order's, the same however often it is made.
domain::OrderId event_id_of(const domain::OrderId& order, EventType type) {
    return {.high = order.high, .low = order.low ^ static_cast<std::uint64_t>(type)};
}

Event event_of(EventType type, const domain::Order& order, domain::WallTime at) {
    Event event;
    event.id = event_id_of(order.id, type);
    event.type = type;
    event.order = order;
    event.occurred_at = at;
    return event;
}

}  // namespace

std::expected<std::unique_ptr<EventOutbox>, std::string> EventOutbox::open(
    Options options, const DataDir& dir, const base::Clock& clock, const base::KeyedHash& hash
) {
    auto cursor = EventCursor::open(dir.path());
    if (!cursor) return std::unexpected(cursor.error());
    std::unique_ptr<EventOutbox> outbox{
        new EventOutbox(std::move(options), std::move(*cursor), clock)};
    for (std::size_t lane = 0; lane < dir.lanes(); ++lane) {
        const std::string file = dir.lane_file(lane);
        if (auto added = outbox->add_lane(file, hash); !added) {
            return std::unexpected(
                fmt::format("cannot read the events of {}: {}", file, added.error().text)
            );
        }
    }
    outbox->publish_depth(std::nullopt);
    return outbox;
}

Done EventOutbox::add_lane(const std::string& file, const base::KeyedHash& hash) {
    auto log = EventLog::open(file, hash);
    if (!log) return std::unexpected(log.error());
    auto place = begin_lane(lanes_.size(), *log);
    if (!place) return std::unexpected(place.error());
    log->count_from(place->order_high);
    lanes_.push_back({.log = std::move(*log), .place = *place});
    return {};
}

// Where the lane goes on; what that is at first use is kept at once, so that a crash right after
// does not skip what happened in between.
std::expected<EventPlace, SqliteError> EventOutbox::begin_lane(std::size_t lane, EventLog& log) {
    const auto known = cursor_.place(lane);
    const auto last = log.last_order();
    if (!last) return std::unexpected(last.error());
    if (known && known->order_high <= *last) return *known;
    if (known) {
        log::warn(
            "the lane is older than what was delivered of it: was a backup put back? Its events go"
            " on with its next order",
            {{"lane", lane}}
        );
    }
    EventProgress progress;
    EventPlace& place = progress.places[lane];
    if (known || !options_.from_beginning) {
        auto end = log.end();
        if (!end) return std::unexpected(end.error());
        place.order_high = end->order_high;
        for (const auto& [item, taken] : end->taken) {
            const domain::Units total = log.totals().now(item);
            const bool low = is_low(total - taken, total, options_.stock_low.percent_for(item));
            progress.watches[item] = {.taken = taken, .low = low};
        }
        for (const std::uint64_t order : end->releases) progress.releases.push_back({lane, order});
    }
    if (auto saved = cursor_.save(progress); !saved) return std::unexpected(saved.error());
    return place;
}

std::expected<std::vector<Event>, OutboxError> EventOutbox::pull(
    std::size_t max, std::chrono::milliseconds wait
) {
    FC_ASSERT(max > 0);
    while (true) {
        if (auto looked = look(max); !looked) {
            return std::unexpected(report(looked.error(), "read the events"));
        }
        if (!pulled_.empty() || wait.count() <= 0) break;
        const auto slice = std::min(wait, options_.look_every);
        rest(slice);
        wait -= slice;
    }
    if (std::exchange(failing_, false)) log::info("events can be read again");
    publish_depth(std::nullopt);
    std::vector<Event> events;
    events.reserve(pulled_.size());
    for (const Pulled& pulled : pulled_) events.push_back(pulled.event);
    return events;
}

Done EventOutbox::look(std::size_t max) {
    pulled_.clear();
    first_lane_ = (first_lane_ + 1) % lanes_.size();
    for (std::size_t i = 0; i < lanes_.size() && pulled_.size() < max; ++i) {
        const std::size_t lane = (first_lane_ + i) % lanes_.size();
        // Asked before reading: what is committed in between is found by the next look.
        auto changed = lanes_[lane].log.changed();
        if (!changed) return std::unexpected(changed.error());
        if (lanes_[lane].idle && !*changed) continue;
        if (auto done = read(lane, max - pulled_.size()); !done) {
            lanes_[lane].idle = false;
            pulled_.clear();
            return done;
        }
    }
    return {};
}

Done EventOutbox::read(std::size_t number, std::size_t max) {
    Lane& lane = lanes_[number];
    const std::size_t orders_max = (max + events_per_order - 1) / events_per_order;
    const auto told = [&](std::uint64_t order) { return cursor_.is_told(number, order); };
    auto seen = lane.log.read(lane.place.order_high, orders_max, told);
    if (!seen) return std::unexpected(seen.error());
    auto fresh = lane.log.count_new();
    if (!fresh) return std::unexpected(fresh.error());
    lane.orders_waiting += *fresh;

    const std::size_t before = pulled_.size();
    Reading reading{.lane = number, .place = lane.place, .watches = {}};
    for (const LoggedOrder& logged : seen->orders) {
        add_releases(reading, &logged.order);
        add_order(reading, logged);
    }
    if (seen->whole) add_releases(reading, nullptr);
    lane.idle = pulled_.size() == before;
    return {};
}

// Those that came back before the order was accepted; all of them when there is no later order.
void EventOutbox::add_releases(Reading& reading, const domain::Order* before) {
    const auto& releases = lanes_[reading.lane].log.releases();
    while (reading.releases < releases.size()) {
        const LoggedRelease& release = releases[reading.releases];
        if (before != nullptr && release.released_at >= before->accepted_at) return;
        // Of an order that is still to be told: the clock was set back in between.
        if (release.order.id.high > reading.place.order_high) return;
        ++reading.releases;
        StockWatch& watched = watch(reading, release.order.item);
        watched.taken -= release.order.quantity;
        Event event = event_of(EventType::order_failed, release.order, release.released_at);
        event.trace = release.trace;
        event.position = fmt::format("{}/{:016x}/r", reading.lane, release.order.id.high);
        pulled_.push_back({
            .event = std::move(event),
            .lane = reading.lane,
            .place = reading.place,
            .watch = watched,
            .ends_release = true,
        });
    }
}

void EventOutbox::add_order(Reading& reading, const LoggedOrder& logged) {
    const domain::Order& order = logged.order;
    const domain::Units total = lanes_[reading.lane].log.totals().at(order.item, order.sequence);
    StockWatch& watched = watch(reading, order.item);
    const unsigned percent = options_.stock_low.percent_for(order.item);
    const StockMark mark = take(watched, order.quantity, total, percent);
    std::vector<Event> events{
        event_of(EventType::order_accepted, order, order.accepted_at),
        event_of(EventType::order_confirmed, order, order.accepted_at)};
    events.front().key = logged.key;
    for (const auto& [type, there] :
         {std::pair{EventType::stock_low, mark.became_low},
          std::pair{EventType::stock_sold_out, mark.sold_out}}) {
        if (!there) continue;
        Event& event = events.emplace_back(event_of(type, order, order.accepted_at));
        event.remaining = mark.remaining;
        event.total = total;
    }
    for (Event& event : events) event.trace = logged.trace;
    const unsigned known = std::exchange(reading.place.done, 0);
    for (unsigned at = 0; at < events.size(); ++at) {
        const bool is_last = at + 1 == events.size();
        // Of an order whose events are acknowledged in part, the last one at least comes again.
        if (at < known && !is_last) continue;
        Pulled pulled{
            .event = std::move(events[at]),
            .lane = reading.lane,
            .place = {.order_high = reading.place.order_high, .done = at + 1},
            .watch = watched,
            .ends_order = is_last,
        };
        pulled.event.position = fmt::format("{}/{:016x}/{}", reading.lane, order.id.high, at);
        if (is_last) pulled.place = {.order_high = order.id.high, .done = 0};
        pulled_.push_back(std::move(pulled));
    }
    reading.place.order_high = order.id.high;
}

StockWatch& EventOutbox::watch(Reading& reading, const domain::ItemId& item) const {
    return reading.watches.try_emplace(item, cursor_.watch(item)).first->second;
}

std::expected<void, OutboxError> EventOutbox::acknowledge(std::span<const Event> events) {
    FC_ASSERT(events.size() <= pulled_.size());
    if (events.empty()) return {};
    const std::span settled = std::span(pulled_).first(events.size());
    EventProgress progress;
    for (std::size_t i = 0; i < settled.size(); ++i) {
        const Pulled& pulled = settled[i];
        FC_ASSERT(events[i].id == pulled.event.id);
        const domain::Order& order = pulled.event.order;
        progress.places[pulled.lane] = pulled.place;
        if (pulled.ends_order || pulled.ends_release) {
            progress.watches[order.item] = pulled.watch;
        }
        if (pulled.ends_release) progress.releases.push_back({pulled.lane, order.id.high});
    }
    if (auto saved = cursor_.save(progress); !saved) {
        return std::unexpected(report(saved.error(), "keep how far events were delivered"));
    }
    for (const Pulled& pulled : settled) {
        Lane& lane = lanes_[pulled.lane];
        lane.place = pulled.place;
        if (pulled.ends_release) lane.log.settle(pulled.event.order.id.high);
        if (pulled.ends_order && lane.orders_waiting > 0) --lane.orders_waiting;
    }
    const domain::WallTime last = settled.back().event.occurred_at;
    pulled_.erase(pulled_.begin(), pulled_.begin() + static_cast<std::ptrdiff_t>(settled.size()));
    publish_depth(last);
    return {};
}

// `last`: when the event acknowledged last occurred; what is not pulled yet is hardly older.
void EventOutbox::publish_depth(std::optional<domain::WallTime> last) {
    std::uint64_t pending = 0;
    for (const Lane& lane : lanes_) {
        const std::uint64_t of_orders = lane.orders_waiting * events_per_order;
        pending += of_orders - std::min<std::uint64_t>(lane.place.done, of_orders);
        pending += lane.log.releases().size();
    }
    pending = std::max<std::uint64_t>(pending, pulled_.size());
    std::optional<domain::WallTime> oldest;
    for (const Pulled& pulled : pulled_) {
        oldest = std::min(oldest.value_or(pulled.event.occurred_at), pulled.event.occurred_at);
    }
    if (!oldest) oldest = last;
    pending_.store(pending, std::memory_order_relaxed);
    const bool known = pending > 0 && oldest;
    oldest_ms_.store(known ? oldest->time_since_epoch().count() : 0, std::memory_order_relaxed);
}

ports::OutboxDepth EventOutbox::depth() const {
    ports::OutboxDepth depth{.pending = pending_.load(std::memory_order_relaxed)};
    const std::int64_t oldest = oldest_ms_.load(std::memory_order_relaxed);
    if (oldest == 0) return depth;
    const auto age = clock_.wall() - domain::WallTime{std::chrono::milliseconds{oldest}};
    depth.oldest_age = std::max(age, std::chrono::milliseconds{0});
    return depth;
}

void EventOutbox::rest(std::chrono::milliseconds at_most) {
    std::unique_lock lock{mutex_};
    woken_.wait_for(lock, at_most, [this] { return awake_; });
    awake_ = false;
}

void EventOutbox::wake() {
    const std::lock_guard lock{mutex_};
    awake_ = true;
    woken_.notify_one();
}

OutboxError EventOutbox::report(const SqliteError& error, std::string_view attempted) {
    if (!std::exchange(failing_, true)) {
        log::error("events wait: a file fails", {{"attempted", attempted}, {"error", error.text}});
    }
    return OutboxError::unavailable;
}

}  // namespace firstcome::sqlite
