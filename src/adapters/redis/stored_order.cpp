// src/adapters/redis/stored_order.cpp - an order as bytes: in a call, under its key, in the outbox
#include "adapters/redis/stored_order.hpp"

#include "base/assert.hpp"

#include <bit>
#include <charconv>
#include <cstring>

namespace firstcome::redis {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint8_t has_trace = 1;
constexpr std::uint8_t is_sampled = 2;
constexpr char level_redis = 'r';
constexpr char level_database = 'd';
constexpr char level_stored = 's';

char level_of(domain::Durability durability, bool stored) {
    if (durability == domain::Durability::redis) return level_redis;
    return stored ? level_stored : level_database;
}

template <typename T>
void put(std::string& out, T value) {
    const std::size_t at = out.size();
    out.resize(at + sizeof value);
    std::memcpy(out.data() + at, &value, sizeof value);
}

void put_text(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint8_t>(text.size()));
    out += text;
}

std::uint64_t milliseconds_of(domain::WallTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

domain::WallTime wall_time_of(std::uint64_t milliseconds) {
    return domain::WallTime{std::chrono::milliseconds{milliseconds}};
}

/// Takes pieces off the front; after the first one that is missing all is damaged.
class Pieces {
public:
    explicit Pieces(std::string_view bytes) : left_(bytes) {}

    template <typename T>
    T number() {
        T value{};
        const std::string_view bytes = take(sizeof value);
        if (!damaged_) std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }

    template <typename Id>
    Id id() {
        const auto read = id_or_none<Id>();
        if (!read) damaged_ = true;
        return read.value_or(Id{});
    }

    /// Nothing: it has no length.
    template <typename Id>
    std::optional<Id> id_or_none() {
        const std::string_view text = take(number<std::uint8_t>());
        if (text.empty()) return std::nullopt;
        auto read = Id::from(text);
        if (!read) damaged_ = true;
        return read;
    }

    domain::OrderId order_id() {
        domain::OrderId read;
        read.high = number<std::uint64_t>();
        read.low = number<std::uint64_t>();
        return read;
    }

    char level() {
        const char read = number<char>();
        if (read != level_redis && read != level_database && read != level_stored) damaged_ = true;
        return read;
    }

    [[nodiscard]] bool damaged() const { return damaged_; }

    [[nodiscard]] bool at_end() const { return left_.empty(); }

private:
    std::string_view take(std::size_t size) {
        if (damaged_ || left_.size() < size) {
            damaged_ = true;
            return {};
        }
        const std::string_view taken = left_.substr(0, size);
        left_.remove_prefix(size);
        return taken;
    }

    std::string_view left_;
    bool damaged_ = false;
};

domain::Durability durability_of(char level) {
    return level == level_redis ? domain::Durability::redis : domain::Durability::database;
}

void put_trace(std::string& out, const domain::TraceContext& trace) {
    const bool traced = trace.trace_high != 0 || trace.trace_low != 0;
    const unsigned flags = (traced ? has_trace : 0U) | (traced && trace.sampled ? is_sampled : 0U);
    put(out, static_cast<std::uint8_t>(flags));
    if (!traced) return;
    put(out, trace.trace_high);
    put(out, trace.trace_low);
    put(out, trace.span);
}

domain::TraceContext read_trace(Pieces& pieces) {
    domain::TraceContext trace;
    const auto flags = pieces.number<std::uint8_t>();
    if ((flags & has_trace) == 0) return trace;
    trace.trace_high = pieces.number<std::uint64_t>();
    trace.trace_low = pieces.number<std::uint64_t>();
    trace.span = pieces.number<std::uint64_t>();
    trace.sampled = (flags & is_sampled) != 0;
    return trace;
}

/// What all orders of a batch have in common.
struct Tail {
    domain::WallTime accepted_at;
    Moment moment = 0;
    char level = level_redis;
};

Tail read_tail(Pieces& pieces) {
    Tail tail;
    tail.accepted_at = wall_time_of(pieces.number<std::uint64_t>());
    tail.moment = pieces.number<std::uint64_t>();
    tail.level = pieces.level();
    return tail;
}

struct SoldItem {
    std::optional<domain::ItemId> id;  // nothing: not one of it was sold
    domain::Sequence sequence = 0;     // of the first order that is not read yet
};

SoldItem read_item(Pieces& pieces) {
    SoldItem item;
    item.id = pieces.id_or_none<domain::ItemId>();
    if (item.id) item.sequence = pieces.number<domain::Sequence>();
    return item;
}

/// A head; the place of its item, which is known later.
std::uint16_t read_head(Pieces& pieces, domain::Event& event) {
    const auto item_place = pieces.number<std::uint16_t>();
    (void)pieces.number<std::uint16_t>();
    const domain::KeyHash key{
        .high = pieces.number<std::uint64_t>(), .low = pieces.number<std::uint64_t>()};
    if (key != domain::KeyHash{}) event.key = key;
    event.order.quantity = pieces.number<std::int32_t>();
    event.order.id = pieces.order_id();
    event.id = event.order.id;
    return item_place;
}

}  // namespace

void pack_order(
    PackedOrders& out,
    std::uint16_t item_place,
    const domain::OrderRequest& request,
    const domain::OrderId& id
) {
    FC_ASSERT(request.quantity > 0);
    FC_ASSERT(!request.key || *request.key != domain::KeyHash{});
    const std::size_t rest = out.rests.size();
    put_text(out.rests, request.user.text());
    put_trace(out.rests, request.trace);
    const domain::KeyHash key = request.key.value_or(domain::KeyHash{});
    put(out.heads, item_place);
    put(out.heads, static_cast<std::uint16_t>(out.rests.size() - rest));
    put(out.heads, key.high);
    put(out.heads, key.low);
    put(out.heads, request.quantity);
    put(out.heads, id.high);
    put(out.heads, id.low);
}

std::string bytes_of(const domain::KeyHash& key) {
    std::string out;
    put(out, key.high);
    put(out, key.low);
    return out;
}

std::string bytes_of(const domain::OrderId& id) {
    std::string out;
    put(out, id.high);
    put(out, id.low);
    return out;
}

std::optional<RememberedOrder> read_record(std::string_view record, const domain::UserId& user) {
    Pieces pieces{record};
    RememberedOrder read;
    read.order.user = user;
    read.order.quantity = pieces.number<std::int32_t>();
    read.order.id = pieces.order_id();
    read.order.item = pieces.id<domain::ItemId>();
    read.order.sequence = pieces.number<std::uint64_t>();
    const Tail tail = read_tail(pieces);
    read.order.accepted_at = tail.accepted_at;
    read.moment = tail.moment;
    read.order.durability = durability_of(tail.level);
    read.stored = tail.level == level_stored;
    if (pieces.damaged() || !pieces.at_end()) return std::nullopt;
    return read;
}

std::string record_of(const RememberedOrder& remembered) {
    const domain::Order& order = remembered.order;
    std::string out;
    put(out, order.quantity);
    put(out, order.id.high);
    put(out, order.id.low);
    put_text(out, order.item.text());
    put(out, order.sequence);
    put(out, milliseconds_of(order.accepted_at));
    put(out, remembered.moment);
    put(out, level_of(order.durability, remembered.stored));
    return out;
}

std::optional<OutboxEntry> read_entry(std::string_view bytes) {
    Pieces pieces{bytes};
    OutboxEntry entry;
    entry.placed_before = pieces.number<std::uint64_t>();
    const Tail tail = read_tail(pieces);
    entry.accepted_at = tail.accepted_at;
    entry.moment = tail.moment;
    const auto orders = pieces.number<std::uint16_t>();
    std::vector<SoldItem> items(pieces.number<std::uint16_t>());
    while (orders == 0 && items.empty() && !pieces.damaged() && !pieces.at_end()) {
        domain::Event declared;
        (void)read_head(pieces, declared);
        entry.declared.push_back(declared.order.id);
    }
    if (pieces.damaged() || (orders == 0 && entry.declared.empty())) return std::nullopt;

    entry.events.resize(orders);
    std::vector<std::uint16_t> item_places(orders);
    for (std::size_t i = 0; i < orders; ++i) item_places[i] = read_head(pieces, entry.events[i]);
    for (SoldItem& item : items) item = read_item(pieces);
    for (std::size_t i = 0; i < orders; ++i) {
        domain::Event& event = entry.events[i];
        if (item_places[i] < 1 || item_places[i] > items.size()) return std::nullopt;
        SoldItem& item = items[item_places[i] - 1U];
        if (!item.id) return std::nullopt;
        event.order.item = *item.id;
        event.order.sequence = item.sequence++;
        event.order.user = pieces.id<domain::UserId>();
        event.order.accepted_at = event.occurred_at = tail.accepted_at;
        event.order.durability = durability_of(tail.level);
        event.trace = read_trace(pieces);
        event.position = std::to_string(tail.moment) + ':' + std::to_string(i + 1);
    }
    if (pieces.damaged() || !pieces.at_end()) return std::nullopt;
    return entry;
}

// An entry is its id, `<moment>-0`, and its fields, each with its value.
std::optional<Moment> moment_of(const Reply& entry) {
    if (entry.items.size() != 2) return std::nullopt;
    const std::string& id = entry.items[0].text;
    Moment moment = 0;
    const auto [at, error] = std::from_chars(id.data(), id.data() + id.size(), moment);
    if (error != std::errc{} || std::string_view{at, id.data() + id.size()} != "-0") {
        return std::nullopt;
    }
    return moment;
}

std::string bytes_of_entry(const Reply& entry) {
    std::string bytes;
    if (entry.items.size() != 2) return bytes;
    const auto& fields = entry.items[1].items;
    for (std::size_t value = 1; value < fields.size(); value += 2) bytes += fields[value].text;
    return bytes;
}

std::string damage_text(const ShardKeys& keys, const Reply& entry) {
    const std::string id = entry.items.empty() ? "<id>" : entry.items[0].text;
    const std::string one = keys.outbox + ' ' + id;
    return "entry " + id + " of " + keys.outbox +
           " in Redis is damaged, and all orders behind it wait for PostgreSQL: keep a copy of it"
           " (XRANGE " +
           one + ' ' + id + "), then remove it (XDEL " + one +
           "); the orders in it are lost, their units go back by themselves, and firstcome audit"
           " names their places in line";
}

std::optional<EntryHead> read_entry_head(std::string_view bytes) {
    Pieces pieces{bytes};
    EntryHead head;
    head.placed_before = pieces.number<std::uint64_t>();
    head.accepted_at = wall_time_of(pieces.number<std::uint64_t>());
    if (pieces.damaged()) return std::nullopt;
    return head;
}

}  // namespace firstcome::redis
