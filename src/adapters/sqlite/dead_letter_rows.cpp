// src/adapters/sqlite/dead_letter_rows.cpp - a dead letter and a redrive task as rows
#include "adapters/sqlite/dead_letter_rows.hpp"

#include "adapters/sqlite/trace_bytes.hpp"

#include <array>
#include <span>
#include <utility>

namespace firstcome::sqlite {

using ports::DeadLetter;

namespace {

// Most significant byte first, so that a hex dump of the file reads like the id.
void put(std::byte* out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<std::byte>(value >> shift);
}

std::uint64_t take(const std::byte* in) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = (value << 8U) | std::to_integer<std::uint64_t>(in[i]);
    return value;
}

template <typename Pair>  // OrderId, KeyHash
std::array<std::byte, 16> bytes_of_pair(const Pair& pair) {
    std::array<std::byte, 16> bytes;
    put(bytes.data(), pair.high);
    put(bytes.data() + 8, pair.low);
    return bytes;
}

template <typename Pair>
std::optional<Pair> pair_from(std::span<const std::byte> bytes) {
    if (bytes.size() != 16) return std::nullopt;
    return Pair{.high = take(bytes.data()), .low = take(bytes.data() + 8)};
}

std::optional<domain::Durability> durability_from(std::string_view text) {
    using enum domain::Durability;
    for (const auto durability : {disk, redis, database}) {
        if (text == name(durability)) return durability;
    }
    return std::nullopt;
}

template <typename T>
bool read_whole(std::int64_t stored, T& out) {
    if (!std::in_range<T>(stored)) return false;
    out = static_cast<T>(stored);
    return true;
}

// Columns 2..16. False: damaged.
bool read_event(const Statement& row, domain::Event& event) {
    const auto id = pair_from<domain::OrderId>(row.blob(2));
    const auto type = domain::event_type_from(row.text(3));
    const auto order = pair_from<domain::OrderId>(row.blob(5));
    const auto user = domain::UserId::from(row.text(6));
    const auto item = domain::ItemId::from(row.text(7));
    const auto status = domain::order_status_from(row.text(11));
    const auto durability = durability_from(row.text(12));
    if (!id || !type || !order || !user || !item || !status || !durability) return false;
    event.id = *id;
    event.type = *type;
    event.occurred_at = wall_time(row.integer(4));
    event.order.id = *order;
    event.order.user = *user;
    event.order.item = *item;
    event.order.accepted_at = wall_time(row.integer(10));
    event.order.status = *status;
    event.order.durability = *durability;
    event.remaining = row.integer(15);
    event.total = row.integer(16);
    if (!read_whole(row.integer(8), event.order.quantity)) return false;
    if (!read_whole(row.integer(9), event.order.sequence)) return false;
    if (!row.is_null(13)) {
        event.key = pair_from<domain::KeyHash>(row.blob(13));
        if (!event.key) return false;
    }
    if (row.is_null(14)) return true;
    const auto trace = trace_from(row.blob(14));
    if (trace) event.trace = *trace;
    return trace.has_value();
}

}  // namespace

std::expected<void, SqliteError> insert(Statement& statement, const DeadLetter& letter) {
    const domain::Event& event = letter.event;
    const auto event_id = bytes_of_pair(event.id);
    const auto order_id = bytes_of_pair(event.order.id);
    const auto key = bytes_of_pair(event.key.value_or(domain::KeyHash{}));
    const auto trace = bytes_of_trace(event.trace);
    int at = 0;
    const auto text = [&](std::string_view value) { statement.bind(at++, value); };
    const auto number = [&](std::int64_t value) { statement.bind(at++, value); };
    const auto blob = [&](std::span<const std::byte> value, bool there = true) {
        there ? statement.bind(at, value) : statement.bind_null(at);
        ++at;
    };
    text(letter.consumer);
    blob(event_id);
    text(name(event.type));
    number(milliseconds(event.occurred_at));
    blob(order_id);
    text(event.order.user.text());
    text(event.order.item.text());
    number(event.order.quantity);
    number(static_cast<std::int64_t>(event.order.sequence));
    number(milliseconds(event.order.accepted_at));
    text(name(event.order.status));
    text(name(event.order.durability));
    blob(key, event.key.has_value());
    blob(trace, event.trace.trace_high != 0 || event.trace.trace_low != 0);
    number(event.remaining);
    number(event.total);
    text(name(letter.cause));
    text(letter.last_error);
    number(letter.attempts);
    number(milliseconds(letter.first_failure));
    number(milliseconds(letter.last_failure));
    number(milliseconds(*letter.next_attempt));
    text(name(letter.status));
    return statement.run();
}

std::optional<DeadLetter> read_dead_letter(const Statement& row) {
    DeadLetter letter;
    if (!read_event(row, letter.event)) return std::nullopt;
    const auto cause = ports::cause_from(row.text(17));
    const auto status = ports::dead_letter_status_from(row.text(23));
    if (!cause || !status || !read_whole(row.integer(19), letter.attempts)) return std::nullopt;
    letter.id = row.integer(0);
    letter.consumer = row.text(1);
    letter.cause = *cause;
    letter.last_error = row.text(18);
    letter.first_failure = wall_time(row.integer(20));
    letter.last_failure = wall_time(row.integer(21));
    if (const auto next = row.maybe_integer(22)) letter.next_attempt = wall_time(*next);
    letter.status = *status;
    return letter;
}

std::optional<StoredRedrive> read_redrive(const Statement& row) {
    StoredRedrive stored{.task = {}, .last_entry = row.integer(11)};
    ports::RedriveTask& task = stored.task;
    task.filter.status = ports::dead_letter_status_from(row.text(1));
    task.filter.cause = ports::cause_from(row.text(2));
    task.filter.item = domain::ItemId::from(row.text(3));
    if (!row.is_null(4)) task.filter.consumer = row.text(4);
    // What is there and not understood must not become "matches everything".
    if (row.is_null(1) == task.filter.status.has_value()) return std::nullopt;
    if (row.is_null(2) == task.filter.cause.has_value()) return std::nullopt;
    if (row.is_null(3) == task.filter.item.has_value()) return std::nullopt;
    if (!read_whole(row.integer(5), task.per_second)) return std::nullopt;
    if (!read_whole(row.integer(7), task.moved)) return std::nullopt;
    if (!read_whole(row.integer(8), task.total)) return std::nullopt;
    task.id = row.integer(0);
    task.status = row.text(6);
    task.started_at = wall_time(row.integer(9));
    if (const auto ended = row.maybe_integer(10)) task.ended_at = wall_time(*ended);
    return stored;
}

void bind_filter(Statement& statement, const ports::DeadLetterFilter& filter) {
    const auto bind = [&](int at, bool there, std::string_view text) {
        there ? statement.bind(at, text) : statement.bind_null(at);
    };
    bind(0, filter.status.has_value(), filter.status ? name(*filter.status) : "");
    bind(1, filter.cause.has_value(), filter.cause ? name(*filter.cause) : "");
    bind(2, filter.item.has_value(), filter.item ? filter.item->text() : "");
    bind(3, filter.consumer.has_value(), filter.consumer ? *filter.consumer : std::string_view{});
}

}  // namespace firstcome::sqlite
