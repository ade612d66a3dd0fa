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
constexpr std::int64_t fractions = 1024;  // orders are summed in these, so that few can fade too
constexpr int creeps = 256;  // batches the lone commit takes to believe in a slower one

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
    // By order, not by batch: a small batch is mostly commit, and says little of what a full one
    // costs.
    const auto faded = [](auto sum) { return sum - sum / remembers; };
    recent_time_ = faded(recent_time_) + took;
    recent_orders_ = faded(recent_orders_) + static_cast<std::int64_t>(batch.size) * fractions;
    // The quickest batches are those that cost little beside their commit. In a standing queue
    // there are none, so what is known stays.
    if (batch.committed) {
        if (lone_commit_.count() == 0 || took < lone_commit_) lone_commit_ = took;
        if (!stands_) lone_commit_ += (took - lone_commit_) / creeps;
    }

    const bool as_before = stands_ ? batch.refused : batch.oldest_wait <= 2 * budget();
    if (as_before) as_before_at_ = batch.ended;
    if (batch.ended - as_before_at_ > patience_) {
        stands_ = !stands_;
        as_before_at_ = batch.ended;
    }
    bound_ = stands_ ? standing_bound() : open_bound_;
}

nanoseconds QueueBound::per_order() const {
    return recent_time_ * fractions / std::max(recent_orders_, std::int64_t{1});
}

nanoseconds QueueBound::budget() const {
    // Three commits: then at most a third of the time goes into commits that could have been
    // shared.
    return std::max(options_.wait_target / 2, 3 * lone_commit_);
}

std::size_t QueueBound::standing_bound() const {
    const auto served = static_cast<std::size_t>(budget() / std::max(per_order(), nanoseconds{1}));
    // Of a batch and a few more, the few would cost a commit of their own.
    const std::size_t batches = served / options_.batch_size_max * options_.batch_size_max;
    return std::clamp(batches > 0 ? batches : served, floor_, open_bound_);
}

}  // namespace firstcome::app
