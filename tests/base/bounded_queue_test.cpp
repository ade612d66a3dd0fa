// tests/base/bounded_queue_test.cpp - order, bound and end of the queue between threads
#include "base/bounded_queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <thread>
#include <vector>

namespace firstcome::base {
namespace {

std::vector<int> pop(BoundedQueue<int>& queue, std::size_t max) {
    std::vector<int> out;
    EXPECT_TRUE(queue.pop_batch(out, max));
    return out;
}

TEST(BoundedQueue, GivesOutInTheOrderOfArrivalAlsoInSmallBatches) {
    BoundedQueue<int> queue{8};
    for (int i = 1; i <= 5; ++i) EXPECT_TRUE(queue.try_push(int{i}));
    EXPECT_EQ(pop(queue, 2), (std::vector{1, 2}));
    EXPECT_TRUE(queue.try_push(6)) << "pushed while a batch is half handed out";
    EXPECT_EQ(pop(queue, 2), (std::vector{3, 4}));
    EXPECT_EQ(pop(queue, 9), (std::vector{5})) << "the rest of the first batch, then the next";
    EXPECT_EQ(pop(queue, 9), (std::vector{6}));
}

TEST(BoundedQueue, APoppedBatchIsAddedToWhatTheCallerHolds) {
    BoundedQueue<int> queue{4};
    EXPECT_TRUE(queue.try_push(2));
    std::vector<int> out{1};
    EXPECT_TRUE(queue.pop_batch(out, 4));
    EXPECT_EQ(out, (std::vector{1, 2}));
}

TEST(BoundedQueue, TakesNoMoreThanItsBoundAndCountsEachRefusal) {
    BoundedQueue<int> queue{2};
    EXPECT_EQ(queue.capacity(), 2U);
    EXPECT_TRUE(queue.try_push(1));
    EXPECT_TRUE(queue.try_push(2));
    EXPECT_EQ(queue.full_count(), 0U);
    EXPECT_FALSE(queue.try_push(3));
    EXPECT_FALSE(queue.try_push(3));
    EXPECT_EQ(queue.full_count(), 2U);
    EXPECT_EQ(queue.size(), 2U);
    EXPECT_EQ(pop(queue, 2), (std::vector{1, 2}));
    EXPECT_TRUE(queue.try_push(4)) << "room again";
}

TEST(BoundedQueue, LeavesWhatItDoesNotTakeWithTheCaller) {
    BoundedQueue<std::unique_ptr<int>> queue{2};
    std::vector<std::unique_ptr<int>> values;
    for (int i = 0; i < 3; ++i) values.push_back(std::make_unique<int>(i));
    EXPECT_EQ(queue.try_push_all(values), 2U);
    EXPECT_EQ(values[0], nullptr);
    EXPECT_EQ(values[1], nullptr);
    ASSERT_NE(values[2], nullptr);
    EXPECT_EQ(*values[2], 2);
    EXPECT_EQ(queue.full_count(), 1U) << "once per push, however many did not fit";
    EXPECT_EQ(queue.try_push_all({}), 0U);
    EXPECT_EQ(queue.full_count(), 1U) << "nothing was refused";
}

TEST(BoundedQueue, CloseLetsNothingInAndEverythingOut) {
    BoundedQueue<int> queue{4};
    EXPECT_TRUE(queue.try_push(1));
    EXPECT_TRUE(queue.try_push(2));
    queue.close();
    EXPECT_FALSE(queue.try_push(3));
    EXPECT_EQ(queue.full_count(), 0U) << "closed is not full";
    EXPECT_EQ(pop(queue, 1), (std::vector{1}));
    EXPECT_EQ(pop(queue, 1), (std::vector{2}));
    std::vector<int> out;
    EXPECT_FALSE(queue.pop_batch(out, 1));
    EXPECT_FALSE(queue.pop_batch(out, 1)) << "and stays closed";
    EXPECT_TRUE(out.empty());
}

TEST(BoundedQueue, CloseWakesAConsumerThatWaits) {
    BoundedQueue<int> queue{1};
    bool more = true;
    std::thread consumer([&] {
        std::vector<int> out;
        more = queue.pop_batch(out, 1);
    });
    queue.close();
    consumer.join();
    EXPECT_FALSE(more);
}

TEST(BoundedQueue, KeepsEachProducersOrderAndLosesNothing) {
    struct Stamp {
        int producer = 0;
        int number = 0;
    };

    constexpr int producers = 4;
    constexpr int each = 5'000;
    BoundedQueue<Stamp> queue{64};
    std::vector<std::thread> threads;
    for (int producer = 0; producer < producers; ++producer) {
        threads.emplace_back([&queue, producer] {
            for (int number = 0; number < each; ++number) {
                while (!queue.try_push(Stamp{producer, number})) std::this_thread::yield();
            }
        });
    }
    std::vector<int> next(producers, 0);
    std::vector<Stamp> batch;
    for (int popped = 0; popped < producers * each;) {
        ASSERT_TRUE(queue.pop_batch(batch, 10));
        ASSERT_LE(batch.size(), 10U);
        for (const Stamp& stamp : batch) {
            ASSERT_EQ(stamp.number, next[static_cast<std::size_t>(stamp.producer)]++);
        }
        popped += static_cast<int>(batch.size());
        batch.clear();
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(queue.size(), 0U);
    EXPECT_EQ(std::accumulate(next.begin(), next.end(), 0), producers * each);
}

}  // namespace
}  // namespace firstcome::base
