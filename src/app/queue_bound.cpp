// src/app/queue_bound.cpp - how many orders may wait in a lane: a rush, yes; a standing queue, no
#include "app/queue_bound.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace firstcome::app {

namespace {

using std::chrono::nanoseconds;

constexpr int patience_targets = 5;       // of wait_target: 100 ms by default
constexpr std::size_t floor_max = 256;    // orders: what many clients at once may well be
constexpr std::size_t reserve_part = 64;  // of the queue: for stock changes, releases, figures
constexpr int remembers = 8;              // batches the averages look back on
constexpr int creeps = 256;  // batches the lone commit takes to believe in a slower one

nanoseconds moved(nanoseconds from, nanoseconds to, int over) {
    return from.count() == 0 ? to : from + (to - from) / over;
}

}  // namespace

QueueBound::QueueBound(const Options& options)
    : options_(options),
      open_bound_(options.capacity - options.capacity / reserve_part),
      floor_(std::min({options.batch_size_max, floor_max, open_bound_})),
      patience_(options.wait_target * patience_targets),
      bound_(open_bound_) {
    FC_ASSERT(options.capacity > 0);
    FC_ASSERT(options.batch_size_max > 0);
    FC_ASSERT(options.wait_target > nanoseconds{0});
}

void QueueBound::batch_ended(const Batch& batch) {
    FC_ASSERT(batch.size > 0);
    const nanoseconds took = std::max(batch.ended - batch.started, nanoseconds{1});
    per_order_ = moved(per_order_, took / static_cast<std::int64_t>(batch.size), remembers);
    // The quickest batches are those that cost little beside their commit. In a standing queue
    // there are none, so what is known stays.
    if (lone_commit_.count() == 0 || took < lone_commit_) lone_commit_ = took;
    if (!stands_) lone_commit_ = moved(lone_commit_, took, creeps);

    const bool as_before = stands_ ? batch.refused : batch.oldest_wait <= 2 * budget();
    if (as_before) as_before_at_ = batch.ended;
    if (batch.ended - as_before_at_ > patience_) {
        stands_ = !stands_;
        as_before_at_ = batch.ended;
    }
    bound_ = stands_ ? standing_bound() : open_bound_;
}

nanoseconds QueueBound::budget() const {
    return std::max(options_.wait_target / 2, 2 * lone_commit_);
}

std::size_t QueueBound::standing_bound() const {
    const auto served = static_cast<std::size_t>(budget() / std::max(per_order_, nanoseconds{1}));
    return std::clamp(served, floor_, open_bound_);
}

}  // namespace firstcome::app
