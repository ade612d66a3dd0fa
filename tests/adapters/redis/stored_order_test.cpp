// tests/adapters/redis/stored_order_test.cpp - orders as bytes come back whole, or as damaged
#include "adapters/redis/stored_order.hpp"

#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

namespace firstcome::redis {
namespace {

RememberedOrder remembered() {
    domain::Order order{
        .id = {.high = 0x0123456789abcdef, .low = 0xfedcba9876543210},
        .user = test::user("ann"),
        .item = test::item("shoe"),
        .quantity = 3,
        .sequence = 7,
        .accepted_at = domain::WallTime{std::chrono::milliseconds{1'700'000'000'123}},
        .status = domain::OrderStatus::processing,
        .durability = domain::Durability::database};
    return {.order = order, .moment = 1'700'000'000'123'456, .stored = false};
}

TEST(StoredOrder, ARecordComesBackWhole) {
    for (const bool stored : {false, true}) {
        RememberedOrder before = remembered();
        before.stored = stored;
        const auto after = read_record(record_of(before), test::user("ann"));
        ASSERT_TRUE(after.has_value());
        EXPECT_EQ(after->order.id, before.order.id);
        EXPECT_EQ(after->order.user, before.order.user);
        EXPECT_EQ(after->order.item, before.order.item);
        EXPECT_EQ(after->order.quantity, 3);
        EXPECT_EQ(after->order.sequence, 7U);
        EXPECT_EQ(after->order.accepted_at, before.order.accepted_at);
        EXPECT_EQ(after->order.durability, domain::Durability::database);
        EXPECT_EQ(after->moment, before.moment);
        EXPECT_EQ(after->stored, stored);
    }
}

TEST(StoredOrder, ARecordCutShortOrTooLongIsDamaged) {
    const std::string whole = record_of(remembered());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(read_record(whole.substr(0, size), test::user("ann")).has_value()) << size;
    }
    EXPECT_FALSE(read_record(whole + "x", test::user("ann")).has_value());
    std::string no_level = whole;
    no_level.back() = '?';
    EXPECT_FALSE(read_record(no_level, test::user("ann")).has_value());
}

/// `length` and an item's name; with the sequence of its first order.
std::string sold(std::string_view counted_name, char sequence) {
    return std::string(counted_name) + sequence + std::string(7, '\0');
}

/// As place.lua and settle.lua put it together.
std::string entry_of(std::string_view rests, char orders, std::string_view heads_and_items) {
    const std::string count{orders, '\0', orders == 0 ? '\0' : '\1', '\0'};
    return std::string(24, '\1') + "r" + count + std::string(heads_and_items) + std::string(rests);
}

std::string entry_of(const PackedOrders& orders, char size, std::string_view items) {
    return entry_of(orders.rests, size, orders.heads + std::string(items));
}

TEST(StoredOrder, AnEntryHasEachOrderWhole) {
    PackedOrders packed;
    domain::OrderRequest ann = test::request({}, base::KeyedHash{{}});
    ann.user = test::user("ann");
    ann.quantity = 3;
    ann.key = domain::KeyHash{.high = 5, .low = 6};
    ann.trace = {.trace_high = 7, .trace_low = 8, .span = 9, .sampled = true};
    domain::OrderRequest bob = ann;
    bob.user = test::user("bob");
    bob.key.reset();
    bob.trace = {};
    pack_order(packed, 1, ann, {.high = 1, .low = 2});
    pack_order(packed, 1, bob, {.high = 1, .low = 3});
    const auto entry = read_entry(entry_of(packed, 2, sold("\4shoe", 7)));
    ASSERT_TRUE(entry.has_value());
    ASSERT_EQ(entry->events.size(), 2U);
    const domain::Event& first = entry->events[0];
    EXPECT_EQ(first.order.user, ann.user);
    EXPECT_EQ(first.order.item, test::item("shoe"));
    EXPECT_EQ(first.order.quantity, 3);
    EXPECT_EQ(first.order.sequence, 7U);
    EXPECT_EQ(first.key, ann.key);
    EXPECT_EQ(first.trace.span, 9U);
    EXPECT_TRUE(first.trace.sampled);
    const domain::Event& second = entry->events[1];
    EXPECT_EQ(second.order.user, bob.user);
    EXPECT_EQ(second.order.id.low, 3U);
    EXPECT_EQ(second.order.sequence, 8U);
    EXPECT_EQ(second.key, std::nullopt);
    EXPECT_EQ(second.trace.trace_low, 0U);
}

TEST(StoredOrder, AnEntryCutShortOrTooLongIsDamaged) {
    PackedOrders packed;
    pack_order(packed, 1, test::request({}, base::KeyedHash{{}}), {.high = 1, .low = 2});
    const std::string entry = entry_of(packed, 1, sold("\4shoe", 1));
    ASSERT_TRUE(read_entry(entry).has_value());
    for (std::size_t size = 0; size < entry.size(); ++size) {
        EXPECT_FALSE(read_entry(entry.substr(0, size)).has_value()) << size;
    }
    EXPECT_FALSE(read_entry(entry + "x").has_value());
}

TEST(StoredOrder, AnEntryWhoseOrderNamesNoItemIsDamaged) {
    PackedOrders unnamed;
    pack_order(unnamed, 1, test::request({}, base::KeyedHash{{}}), {.high = 1, .low = 2});
    EXPECT_FALSE(read_entry(entry_of(unnamed, 1, std::string_view{"\0", 1})).has_value());
    PackedOrders packed;
    pack_order(packed, 2, test::request({}, base::KeyedHash{{}}), {.high = 1, .low = 2});
    EXPECT_FALSE(read_entry(entry_of(packed, 1, sold("\4shoe", 1))).has_value());
}

TEST(StoredOrder, AnEntryOfDeclaredOrdersNamesThem) {
    const domain::OrderId ann{.high = 1, .low = 2};
    const domain::OrderId bob{.high = 1, .low = 3};
    const std::string bytes = entry_of(
        std::string(24, '\0') + bytes_of(ann) + std::string(24, 'x') + bytes_of(bob), 0, ""
    );
    const auto entry = read_entry(bytes);
    ASSERT_TRUE(entry.has_value());
    EXPECT_TRUE(entry->events.empty());
    EXPECT_EQ(entry->declared, (std::vector{ann, bob}));
    EXPECT_FALSE(read_entry(bytes + "x").has_value());
    EXPECT_FALSE(read_entry(bytes.substr(0, bytes.size() - 1)).has_value());
    EXPECT_FALSE(read_entry(entry_of("", 0, "")).has_value()) << "says nothing";
}

}  // namespace
}  // namespace firstcome::redis
