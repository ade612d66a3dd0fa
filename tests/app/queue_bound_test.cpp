// tests/app/queue_bound_test.cpp - a lane with a cost per commit and per order, and those who come
#include "app/queue_bound.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace firstcome::app {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// A lane in numbers: a batch takes `commit` and `each` per order.
class SimulatedLane {
public:
    SimulatedLane(nanoseconds commit, nanoseconds each, std::size_t batch_size_max = 1024)
        : commit_(commit),
          each_(each),
          batch_size_max_(batch_size_max),
          bound({.capacity = 8192, .batch_size_max = batch_size_max}) {}

    /// So many orders a second for so long, evenly; of the first part nothing is kept.
    void serve(std::int64_t per_second, nanoseconds lasting, nanoseconds first = {}) {
        const nanoseconds gap = nanoseconds{1s} / per_second;
        const auto end = now_ + lasting;
        auto next = now_;
        kept_from_ = now_ + first;
        while (now_ < end || !waiting_.empty()) {
            for (; next <= now_ && next < end; next += gap) arrive(next);
            if (waiting_.empty()) {
                now_ = next;
                continue;
            }
            place_batch([&](base::MonotonicTime until) {
                for (; next <= until && next < end; next += gap) arrive(next);
            });
        }
    }

    void rush(std::size_t orders) {
        for (; orders > 0; --orders) arrive(now_);
        while (!waiting_.empty()) place_batch([](base::MonotonicTime) {});
    }

    void forget() {
        took.clear();
        refused = 0;
    }

    [[nodiscard]] nanoseconds p99() const {
        std::vector<nanoseconds> sorted = took;
        std::ranges::sort(sorted);
        return sorted.at(sorted.size() * 99 / 100);
    }

private:
    void arrive(base::MonotonicTime when) {
        if (waiting_.size() < bound.bound()) {
            waiting_.push_back(when);
        } else {
            ++refused;
            refused_lately_ = true;
        }
    }

    template <typename Meanwhile>
    void place_batch(Meanwhile meanwhile) {
        // The lane takes all that waits, and works it off in batches.
        std::vector<base::MonotonicTime> taken;
        std::swap(taken, waiting_);
        for (std::size_t at = 0; at < taken.size();) {
            const std::size_t size = std::min(batch_size_max_, taken.size() - at);
            const auto started = now_;
            now_ += commit_ + each_ * static_cast<std::int64_t>(size);
            meanwhile(now_);
            for (std::size_t i = 0; i < size && now_ >= kept_from_; ++i) {
                took.push_back(now_ - taken[at + i]);
            }
            bound.batch_ended(
                {.started = started,
                 .ended = now_,
                 .oldest_wait = started - taken[at],
                 .size = size,
                 .refused = refused_lately_}
            );
            refused_lately_ = false;
            at += size;
        }
    }

    nanoseconds commit_;
    nanoseconds each_;
    std::size_t batch_size_max_;
    base::MonotonicTime now_{1h};
    base::MonotonicTime kept_from_{};
    std::vector<base::MonotonicTime> waiting_;
    bool refused_lately_ = false;

public:
    QueueBound bound;
    std::vector<nanoseconds> took;
    std::uint64_t refused = 0;
};

TEST(QueueBound, TakesARushThatTheQueueCanHold) {
    SimulatedLane lane{1ms, 10us};
    lane.rush(8000);
    EXPECT_EQ(lane.refused, 0U);
    EXPECT_EQ(lane.took.size(), 8000U);
}

TEST(QueueBound, LeavesRoomForWorkThatIsNoOrder) {
    const QueueBound bound{{.capacity = 8192, .batch_size_max = 1024}};
    EXPECT_EQ(bound.bound(), 8192U - 128U);
    const QueueBound small{{.capacity = 2, .batch_size_max = 8}};
    EXPECT_EQ(small.bound(), 2U) << "what a test asks for";
}

TEST(QueueBound, TurnsNobodyAwayBelowWhatTheLaneCanServe) {
    struct Row {
        nanoseconds commit;
        nanoseconds each;
        std::int64_t per_second;
    };

    const Row rows[] = {
        {1ms, 30us, 25'000},
        {30ms, 20us, 20'000},   // a slow disk
        {120ms, 10us, 5'000},   // a very slow one
        {100us, 100us, 9'000},  // a slow lane
    };
    for (const Row& row : rows) {
        SimulatedLane lane{row.commit, row.each};
        lane.serve(row.per_second, 5s);
        EXPECT_EQ(lane.refused, 0U) << row.commit.count() << " ns a commit";
    }
}

TEST(QueueBound, KeepsServingAtFullSpeedAndQuicklyAtTenTimesTheLoad) {
    struct Row {
        nanoseconds commit;
        nanoseconds each;
        std::size_t batch_size_max;
        std::int64_t full_speed;  // orders a second with the largest batches
    };

    const Row rows[] = {
        {1ms, 30us, 1024, 32'000},
        {1ms, 10us, 8, 7'400},  // small batches: the commit is what costs
        {200us, 2us, 1024, 450'000},
        {30ms, 30us, 1024, 16'800},  // a slow disk
    };
    for (const Row& row : rows) {
        SimulatedLane lane{row.commit, row.each, row.batch_size_max};
        lane.serve(row.full_speed / 4, 1s);
        lane.forget();
        lane.serve(row.full_speed * 10, 4s, 2s);  // first the rush turns into a standing queue
        const auto served = static_cast<double>(lane.took.size()) / 2.0;
        EXPECT_GE(served, 0.90 * static_cast<double>(row.full_speed)) << row.commit.count();
        EXPECT_LE(lane.p99(), std::max(nanoseconds{36ms}, 7 * row.commit)) << row.commit.count();
    }
}

TEST(QueueBound, IsAsBeforeSoonAfterTheLoadHasGone) {
    SimulatedLane lane{1ms, 30us};
    lane.serve(300'000, 2s);
    ASSERT_TRUE(lane.bound.stands());
    lane.serve(5'000, 200ms);
    EXPECT_FALSE(lane.bound.stands());
    lane.forget();
    lane.rush(8000);
    EXPECT_EQ(lane.refused, 0U);
}

TEST(QueueBound, BatchesOfRefusalsDoNotMakeASlowDiskLookQuick) {
    QueueBound bound{{.capacity = 8192, .batch_size_max = 1024}};
    base::MonotonicTime now{1h};
    for (int at = 0; at < 1000; ++at) {
        const bool committed = at % 2 == 0;
        const nanoseconds took = committed ? nanoseconds{50ms} : nanoseconds{20us};
        bound.batch_ended(
            {.started = now,
             .ended = now + took,
             .oldest_wait = 50ms,
             .size = 100,
             .committed = committed}
        );
        now += took;
    }
    EXPECT_FALSE(bound.stands()) << "who waits for the commit before theirs waits for nobody";
}

TEST(QueueBound, OneSlowCommitIsNoStandingQueue) {
    QueueBound bound{{.capacity = 8192, .batch_size_max = 1024}};
    base::MonotonicTime now{1h};
    const auto batch = [&](nanoseconds took, nanoseconds waited, std::size_t size) {
        bound.batch_ended({.started = now, .ended = now + took, .oldest_wait = waited, .size = size}
        );
        now += took;
    };
    for (int at = 0; at < 100; ++at) batch(2ms, 1ms, 20);
    batch(800ms, 1ms, 20);
    batch(12ms, 800ms, 400);
    batch(2ms, 12ms, 20);
    EXPECT_FALSE(bound.stands());
}

}  // namespace
}  // namespace firstcome::app
