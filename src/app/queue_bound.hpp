// src/app/queue_bound.hpp - how many orders may wait in a lane: a rush, yes; a standing queue, no
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace firstcome::app {

/// A queue that empties again takes up a rush, and is as long as it likes. One that stands makes
/// everybody wait and nobody faster: when more come than can be served, those let in find a queue
/// that is served within `wait_target`, and the others hear at once that they must wait.
///
/// The queue stands when the oldest of each batch has waited too long for `patience` in a row. It
/// stands no more when nobody was turned away for as long. What is too long follows the lane: six
/// times the commit of a lone order, where that is slow.
///
/// Thread   the lane's
/// Source   the idea of "burst or standing queue": Nichols and Jacobson, CoDel, RFC 8289
class QueueBound {
public:
    struct Options {
        std::size_t capacity = 8192;        ///< of the queue
        std::size_t batch_size_max = 1024;  ///< what one commit takes with it
        std::chrono::nanoseconds wait_target{std::chrono::milliseconds{20}};
    };

    /// One batch, as it went.
    struct Batch {
        base::MonotonicTime started{};
        base::MonotonicTime ended{};
        std::chrono::nanoseconds oldest_wait{};  ///< of the first in it, until `started`
        std::size_t size = 0;
        bool committed = true;  ///< something was made durable; a batch of refusals costs nothing
        bool refused = false;   ///< somebody was turned away since the batch before
    };

    explicit QueueBound(const Options& options);

    void batch_ended(const Batch& batch);

    /// Orders that may wait now.
    [[nodiscard]] std::size_t bound() const { return bound_; }

    [[nodiscard]] bool stands() const { return stands_; }

    /// What one more order costs, from the last batches; 0: none yet.
    [[nodiscard]] std::chrono::nanoseconds per_order() const;

private:
    [[nodiscard]] std::chrono::nanoseconds budget() const;
    [[nodiscard]] std::size_t standing_bound() const;

    Options options_;
    std::size_t open_bound_;  // leaves the lane room for work that is no order
    std::size_t floor_;       // so many never stand: one commit takes them all
    std::chrono::nanoseconds patience_;
    std::size_t bound_;
    bool stands_ = false;
    base::MonotonicTime as_before_at_{};  // the last batch that spoke for the state as it is
    std::chrono::nanoseconds lone_commit_{};
    std::chrono::nanoseconds recent_time_{};  // of the last batches, older ones fading
    std::int64_t recent_orders_ = 0;          // theirs, in fractions
};

}  // namespace firstcome::app
