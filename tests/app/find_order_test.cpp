// tests/app/find_order_test.cpp - reads are answered once each, on reader threads, also at the end
#include "app/find_order.hpp"

#include "tests/support/ledgers.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

namespace firstcome::app {
namespace {

// Knows every order whose shard is not 9; shard 9 cannot be read.
class StubStore final : public ports::OrderStore {
public:
    std::expected<std::optional<domain::Order>, ports::StoreError> find(domain::OrderId id
    ) override {
        if (id.shard() == 9) return std::unexpected(ports::StoreError::corrupt);
        if (id.high == 0) return std::nullopt;
        domain::Order order;
        order.id = id;
        order.user = test::user("ann");
        order.item = test::item("shoe");
        return order;
    }

    std::expected<ports::OrderPage, ports::StoreError> list(const ports::OrderQuery& query
    ) override {
        ports::OrderPage page;
        page.next = domain::OrderId{.high = query.limit, .low = 0};
        return page;
    }
};

std::vector<std::unique_ptr<ports::OrderStore>> stores(std::size_t count) {
    std::vector<std::unique_ptr<ports::OrderStore>> made;
    for (std::size_t i = 0; i < count; ++i) made.push_back(std::make_unique<StubStore>());
    return made;
}

TEST(FindOrder, AnswersEachReadOnceWithWhatTheStoreSaid) {
    FindOrder find_order{stores(2), 16};
    std::mutex mutex;
    std::vector<FindReply> found;
    std::vector<ListReply> listed;
    const auto keep = [&](FindReply reply) {
        const std::lock_guard lock{mutex};
        found.push_back(std::move(reply));
    };
    const domain::OrderId of_shard_9{.high = 1, .low = std::uint64_t{9} << 56U};
    ASSERT_TRUE(find_order.find({.high = 5, .low = 0}, keep));
    ASSERT_TRUE(find_order.find({.high = 0, .low = 0}, keep));
    ASSERT_TRUE(find_order.find(of_shard_9, keep));
    ASSERT_TRUE(find_order.list(
        {.user = test::user("ann"), .item = {}, .status = {}, .limit = 7, .after = {}},
        [&](ListReply reply) {
            const std::lock_guard lock{mutex};
            listed.push_back(std::move(reply));
        }
    ));
    find_order.start();
    find_order.close_and_drain();
    ASSERT_EQ(found.size(), 3U);
    int orders = 0;
    int nothing = 0;
    int faults = 0;
    for (const FindReply& reply : found) {
        if (!reply) {
            ++faults;
            EXPECT_EQ(reply.error(), ports::StoreError::corrupt);
        } else if (*reply) {
            ++orders;
            EXPECT_EQ((*reply)->id.high, 5U);
        } else {
            ++nothing;
        }
    }
    EXPECT_EQ(orders, 1);
    EXPECT_EQ(nothing, 1);
    EXPECT_EQ(faults, 1);
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0]->next->high, 7U);
}

TEST(FindOrder, RefusesWhatIsTooMuchAndWhatComesAfterTheEnd) {
    FindOrder find_order{stores(1), 2};
    int answered = 0;
    const auto count = [&answered](const FindReply&) { ++answered; };
    EXPECT_TRUE(find_order.find({.high = 1, .low = 0}, count));
    EXPECT_TRUE(find_order.find({.high = 2, .low = 0}, count));
    EXPECT_FALSE(find_order.find({.high = 3, .low = 0}, count));
    find_order.start();
    find_order.close_and_drain();
    EXPECT_EQ(answered, 2) << "what was taken is answered, what was refused never is";
    EXPECT_FALSE(find_order.find({.high = 4, .low = 0}, count));
    EXPECT_EQ(answered, 2);
}

TEST(FindOrder, ReadersTakeTurnsAndAreNotTheCallersThread) {
    FindOrder find_order{stores(3), 16};
    std::mutex mutex;
    std::set<std::thread::id> readers;
    find_order.start();
    for (std::uint64_t i = 1; i <= 30; ++i) {
        ASSERT_TRUE(find_order.find({.high = i, .low = 0}, [&](const FindReply&) {
            const std::lock_guard lock{mutex};
            readers.insert(std::this_thread::get_id());
        })) << "ten of thirty at most wait for each reader";
    }
    find_order.close_and_drain();
    EXPECT_EQ(readers.size(), 3U);
    EXPECT_FALSE(readers.contains(std::this_thread::get_id()));
}

}  // namespace
}  // namespace firstcome::app
