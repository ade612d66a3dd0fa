// src/app/order_lane.hpp - the single writer of a shard: pop a batch, place it, reply
// stop 5 of 7 on the path of one order
#pragma once

#include "app/queue_bound.hpp"
#include "base/bounded_queue.hpp"
#include "base/time.hpp"
#include "domain/order.hpp"
#include "ports/observer.hpp"
#include "ports/order_ledger.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <thread>
#include <vector>

namespace firstcome::app {

/// What the buyer is told: the outcome, or the fault that kept us from having one.
using Reply = std::expected<domain::Outcome, ports::LedgerError>;

/// The batch an order was placed with.
struct PlaceTimes {
    base::MonotonicTime began{};  ///< it left the lane's line
    base::MonotonicTime ended{};  ///< it was durable
    std::uint32_t size = 0;       ///< orders; 0: it was not placed
};

struct Answer {
    std::uint64_t ticket = 0;  ///< whose answer; the sink gave it out
    Reply reply;
    PlaceTimes placed = {};
};

/// Who waits for answers: one per io thread.
class ReplySink {
public:
    ReplySink() = default;
    ReplySink(const ReplySink&) = delete;
    ReplySink& operator=(const ReplySink&) = delete;
    virtual ~ReplySink() = default;

    /// All answers of a batch for this sink, in order of arrival; moves them out.
    ///
    /// Thread   a lane; must not block: one wake-up of the io thread, whatever the batch's size
    virtual void deliver(std::span<Answer> answers) = 0;
};

/// An order on its way through the lane.
struct Placement {
    domain::OrderRequest request;
    ReplySink* sink = nullptr;  ///< outlives the lane
    std::uint64_t ticket = 0;
    base::MonotonicTime arrived;
    base::MonotonicTime deadline = base::MonotonicTime::max();  ///< not begun any more from here on
};

struct LaneOptions {
    unsigned shard = 0;
    std::size_t queue_capacity = 8192;  ///< orders that may wait; beyond it they are shed
    std::size_t batch_size_max = 1024;  ///< orders that share one commit
    std::chrono::nanoseconds wait_target{std::chrono::milliseconds{20}};  ///< see QueueBound
};

/// One thread that owns a shard's ledger. Who comes first in its queue comes first in the sale.
class OrderLane {
public:
    /// `ledger`, `clock`, `observer` outlive the lane.
    OrderLane(
        LaneOptions options,
        ports::OrderLedger& ledger,
        const base::Clock& clock,
        ports::Observer& observer
    );
    ~OrderLane();
    OrderLane(const OrderLane&) = delete;
    OrderLane& operator=(const OrderLane&) = delete;

    /// Starts the thread `fc-lane-<shard>`.
    void start();

    /// True: taken, and it gets exactly one answer. False: as many wait as may, or the lane is
    /// closed.
    ///
    /// Thread   any
    [[nodiscard]] bool submit(Placement&& placement);

    /// When an order that is submitted now would be decided, as far as one can tell.
    ///
    /// Thread   any
    [[nodiscard]] base::MonotonicTime expected_turn() const;

    /// Runs on the lane between two batches; orders always leave some room for it. False: the lane
    /// is closed, or too many wait.
    ///
    /// Thread   any
    [[nodiscard]] bool run_on_lane(std::move_only_function<void(ports::OrderLedger&)> work);

    /// Takes nothing more, finishes and answers all that waits, ends the thread.
    void close_and_drain();

    [[nodiscard]] std::size_t queue_depth() const { return queue_.size(); }

    [[nodiscard]] std::uint64_t queue_full_count() const { return queue_.full_count(); }

    /// Orders that may wait now; less than the queue's capacity while more come than are served.
    [[nodiscard]] std::size_t queue_bound() const { return bound_.load(std::memory_order_relaxed); }

    /// The last time the lane moved, for liveness; `busy` says whether it had work then.
    [[nodiscard]] base::MonotonicTime last_beat() const;

    [[nodiscard]] bool busy() const { return busy_.load(std::memory_order_relaxed); }

private:
    struct Job {
        Placement placement;
        std::move_only_function<void(ports::OrderLedger&)>
            work;  // set: a job of its own, no placement
    };

    /// The answers of one batch that go to one sink; kept between batches for its memory.
    struct Mailbox {
        ReplySink* sink = nullptr;
        std::vector<Answer> answers;
    };

    void run();
    void place_and_reply(std::span<Job> orders);
    /// Places requests_; returns when that was done.
    base::MonotonicTime place(base::MonotonicTime started, std::chrono::nanoseconds oldest_wait);
    void reply(std::span<Job> orders, const PlaceTimes& placed);
    void beat(bool busy);

    LaneOptions options_;
    ports::OrderLedger& ledger_;  // outlives
    const base::Clock& clock_;    // outlives
    ports::Observer& observer_;   // outlives
    base::BoundedQueue<Job> queue_;
    QueueBound queue_bound_;  // the lane's
    std::uint64_t full_seen_ = 0;
    std::atomic<std::size_t> bound_;
    std::atomic<std::int64_t> per_order_ns_{0};
    std::vector<domain::OrderRequest> requests_;
    std::vector<domain::Outcome> outcomes_;
    std::expected<void, ports::LedgerError> placed_;  // of requests_
    std::vector<Mailbox> answers_;
    std::atomic<std::int64_t> last_beat_ns_{0};
    std::atomic<bool> busy_{false};
    std::thread thread_;
};

}  // namespace firstcome::app
