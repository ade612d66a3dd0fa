// src/base/bounded_queue.hpp - the one queue between threads, and its one lock
#pragma once

#include "base/assert.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace firstcome::base {

/// First in, first out, with a bound: many threads push, one thread pops all that waits.
///
/// Order    the order of pushes is the order of pops: this is the fairness rule of the whole
/// service Thread   push, close, size: any; pop_batch: one consumer
template <typename T>
class BoundedQueue {
public:
    explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {
        FC_ASSERT(capacity > 0);
        waiting_.reserve(capacity);
    }

    /// False when full or closed: nothing was taken, and `full_count` says how often.
    [[nodiscard]] bool try_push(T&& value) { return try_push(std::move(value), capacity_); }

    /// The same, below a bound of the caller's own.
    [[nodiscard]] bool try_push(T&& value, std::size_t bound) {
        return try_push_all(std::span<T>(&value, 1), bound) == 1;
    }

    /// Takes as many from the front of `values` as there is room for, and says how many.
    [[nodiscard]] std::size_t try_push_all(std::span<T> values) {
        return try_push_all(values, capacity_);
    }

    [[nodiscard]] std::size_t try_push_all(std::span<T> values, std::size_t bound) {
        bound = std::min(bound, capacity_);
        std::size_t taken = 0;
        bool wake = false;
        {
            const std::lock_guard lock{mutex_};
            if (closed_) return 0;
            while (taken < values.size() && waiting_.size() < bound) {
                waiting_.push_back(std::move(values[taken++]));
            }
            if (taken < values.size()) ++full_count_;
            wake = consumer_sleeps_ && taken > 0;
            if (wake) consumer_sleeps_ = false;
        }
        if (wake) not_empty_.notify_one();
        return taken;
    }

    /// Waits until something is there, then moves up to `max` of it to the end of `out`.
    /// False: closed, and all that was pushed has been popped.
    [[nodiscard]] bool pop_batch(std::vector<T>& out, std::size_t max) {
        FC_ASSERT(max > 0);
        if (next_ == batch_.size()) {
            batch_.clear();
            next_ = 0;
            std::unique_lock lock{mutex_};
            while (waiting_.empty() && !closed_) {
                consumer_sleeps_ = true;
                not_empty_.wait(lock);
            }
            consumer_sleeps_ = false;
            if (waiting_.empty()) return false;
            std::swap(waiting_, batch_);
        }
        while (next_ < batch_.size() && max-- > 0) out.push_back(std::move(batch_[next_++]));
        return true;
    }

    /// Nothing more gets in; what is inside still comes out.
    void close() {
        const std::lock_guard lock{mutex_};
        closed_ = true;
        not_empty_.notify_all();
    }

    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock{mutex_};
        return waiting_.size();
    }

    [[nodiscard]] std::size_t capacity() const { return capacity_; }

    [[nodiscard]] std::uint64_t full_count() const {
        const std::lock_guard lock{mutex_};
        return full_count_;
    }

private:
    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::condition_variable not_empty_;
    std::vector<T> waiting_;
    bool closed_ = false;
    bool consumer_sleeps_ = false;
    std::uint64_t full_count_ = 0;
    std::vector<T> batch_;  // the consumer's own: popped, not yet handed out
    std::size_t next_ = 0;
};

}  // namespace firstcome::base
