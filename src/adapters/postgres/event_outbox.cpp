// src/adapters/postgres/event_outbox.cpp - the table `outbox`, read as a line of events
#include "adapters/postgres/event_outbox.hpp"

#include "adapters/postgres/order_rows.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace firstcome::postgres {

using domain::Event;
using ports::OutboxError;

namespace {

// "FCOE"; beside the numbers in record.cpp.
constexpr std::int64_t events_lock = 0x46434F45;

// position, id, type, occurred_at, trace, remaining, total, the last position there is, the order.
constexpr std::string_view select_events = R"(
SELECT position, id, type, occurred_at, trace,
       coalesce((payload->>'remaining')::bigint, 0), coalesce((payload->>'total')::bigint, 0),
       (SELECT max(position) FROM outbox),
       (payload->>'orderId')::uuid, payload->>'userId', payload->>'itemId',
       (payload->>'quantity')::int, (payload->>'sequence')::bigint,
       (payload->>'acceptedAt')::timestamptz, payload->>'status', payload->>'durability'
FROM outbox ORDER BY position LIMIT $1)";

enum Column : int { position, id, type, occurred_at, trace, remaining, total, last, order };

constexpr int order_columns = 8;

std::optional<Event> event_of(const Rows& rows, std::size_t row) {
    for (int column = order; column < order + order_columns; ++column) {
        if (rows.is_null(row, column)) return std::nullopt;
    }
    const auto what = domain::event_type_from(rows.text(row, type));
    auto about = order_of(rows, row, order);
    if (!what || !about) return std::nullopt;
    Event event;
    event.position = std::to_string(rows.integer(row, position));
    event.id = rows.id(row, id);
    event.type = *what;
    event.order = *std::move(about);
    event.trace = rows.trace(row, trace);
    event.remaining = rows.integer(row, remaining);
    event.total = rows.integer(row, total);
    event.occurred_at = rows.time(row, occurred_at);
    return event;
}

}  // namespace

EventOutbox::EventOutbox(Options options, const base::Clock& clock)
    : options_(std::move(options)), clock_(clock), connection_(options_.connection) {}

std::expected<void, OutboxError> EventOutbox::lead() {
    if (auto opened = connection_.open(); !opened) {
        return std::unexpected(report(opened.error(), "reach PostgreSQL"));
    }
    if (connection_.session() == led_session_) return {};
    led_session_ = 0;
    auto rows = connection_.read("SELECT pg_try_advisory_lock($1::int, 0)", {events_lock});
    if (!rows) return std::unexpected(report(rows.error(), "take the lead of the events"));
    if (!rows->boolean(0, 0)) return std::unexpected(OutboxError::not_ours);
    led_session_ = connection_.session();
    return {};
}

std::expected<std::vector<Event>, OutboxError> EventOutbox::pull(
    std::size_t max, std::chrono::milliseconds wait
) {
    FC_ASSERT(max > 0);
    while (true) {
        auto events = look(max);
        if (!events || !events->empty() || wait.count() <= 0) return events;
        const auto slice = std::min(wait, options_.look_every);
        rest(slice);
        wait -= slice;
    }
}

std::expected<std::vector<Event>, OutboxError> EventOutbox::look(std::size_t max) {
    pulled_.clear();
    if (auto leads = lead(); !leads) {
        if (leads.error() == OutboxError::not_ours) look_from_aside();
        return std::unexpected(leads.error());
    }
    auto rows = connection_.read(select_events, {max});
    if (!rows) return std::unexpected(report(rows.error(), "read the events"));
    std::vector<Event> events;
    events.reserve(rows->size());
    for (std::size_t row = 0; row < rows->size(); ++row) {
        auto event = event_of(*rows, row);
        if (!event) {
            const std::string text = "position " + std::to_string(rows->integer(row, position)) +
                                     " of the outbox is no event of ours";
            return std::unexpected(report({.text = text}, "read the events"));
        }
        events.push_back(*std::move(event));
    }
    if (std::exchange(failing_, false)) log::info("events can be read again");
    for (const Event& event : events) pulled_.push_back(event.occurred_at);
    std::uint64_t pending = events.size();
    if (events.size() == max) {
        const std::int64_t span = rows->integer(0, last) - rows->integer(0, position) + 1;
        pending = std::max(pending, static_cast<std::uint64_t>(span));
    }
    publish_depth(pending, {});
    return events;
}

// Figures only: so every node tells the same, whoever reads.
void EventOutbox::look_from_aside() {
    const auto rows = connection_.read(
        "SELECT (SELECT max(position) FROM outbox) - position + 1, occurred_at FROM outbox "
        "ORDER BY position LIMIT 1"
    );
    if (!rows) return;
    if (rows->empty()) return publish_depth(0, {});
    publish_depth(static_cast<std::uint64_t>(rows->integer(0, 0)), rows->time(0, 1));
}

std::expected<void, OutboxError> EventOutbox::acknowledge(std::span<const Event> events) {
    FC_ASSERT(events.size() <= pulled_.size());
    if (events.empty()) return {};
    if (auto leads = lead(); !leads) return std::unexpected(leads.error());
    std::vector<std::int64_t> positions;
    positions.reserve(events.size());
    for (const Event& event : events) {
        const std::string& text = event.position;
        std::int64_t& number = positions.emplace_back(0);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        FC_ASSERT(error == std::errc{});
        FC_ASSERT(end == text.data() + text.size());
    }
    auto gone = connection_.write("DELETE FROM outbox WHERE position = ANY($1)", {positions});
    // Also when it is not known whether they are gone: then the next pull tells.
    if (!gone) return std::unexpected(report(gone.error(), "forget delivered events"));
    pulled_.erase(pulled_.begin(), pulled_.begin() + static_cast<std::ptrdiff_t>(events.size()));
    const std::uint64_t pending = pending_.load(std::memory_order_relaxed);
    publish_depth(
        pending - std::min<std::uint64_t>(pending, events.size()), events.back().occurred_at
    );
    return {};
}

// `fallback`: when the last one acknowledged occurred; what is not pulled yet is hardly older.
void EventOutbox::publish_depth(std::uint64_t pending, base::WallTime fallback) {
    const auto oldest = pulled_.empty() ? fallback : *std::ranges::min_element(pulled_);
    const std::int64_t since = oldest.time_since_epoch().count();
    pending_.store(pending, std::memory_order_relaxed);
    oldest_ms_.store(pending == 0 ? 0 : since, std::memory_order_relaxed);
}

ports::OutboxDepth EventOutbox::depth() const {
    ports::OutboxDepth depth{.pending = pending_.load(std::memory_order_relaxed)};
    const std::int64_t oldest = oldest_ms_.load(std::memory_order_relaxed);
    if (oldest == 0) return depth;
    const auto age = clock_.wall() - base::WallTime{std::chrono::milliseconds{oldest}};
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

OutboxError EventOutbox::report(const SqlFailure& failure, std::string_view attempted) {
    if (!std::exchange(failing_, true)) {
        log::error(
            "events wait: PostgreSQL does not answer as it should",
            {{"attempted", attempted}, {"sqlstate", failure.sqlstate}, {"error", failure.text}}
        );
    }
    return OutboxError::unavailable;
}

}  // namespace firstcome::postgres
