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

TEST(StoredOrder, AnEntryCutShortIsDamaged) {
    std::string packed;
    pack_order(packed, 1, test::request({}, base::KeyedHash{{}}), {.high = 1, .low = 2});
    constexpr std::size_t head = 6;  // what place.lua reads and does not keep
    const std::string entry =
        std::string(24, '\1') + "r" + packed.substr(head) + std::string(8, '\1');
    ASSERT_TRUE(read_entry(entry).has_value());
    EXPECT_EQ(read_entry(entry)->events.size(), 1U);
    for (std::size_t size = 0; size < entry.size(); ++size) {
        EXPECT_FALSE(read_entry(entry.substr(0, size)).has_value()) << size;
    }
}

}  // namespace
}  // namespace firstcome::redis
