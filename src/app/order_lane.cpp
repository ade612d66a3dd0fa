// src/app/order_lane.cpp - the single writer of a shard: pop a batch, place it, reply
#include "app/order_lane.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <pthread.h>
#include <string>
#include <utility>
#include <variant>

namespace firstcome::app {

namespace {

/// Made durable just now; a replayed one was before.
bool is_new(const domain::Outcome& outcome) {
    const auto* accepted = std::get_if<domain::Accepted>(&outcome);
    return accepted != nullptr && !accepted->replayed;
}

}  // namespace

OrderLane::OrderLane(
    LaneOptions options,
    ports::OrderLedger& ledger,
    const base::Clock& clock,
    ports::Observer& observer
)
    : options_(options),
      ledger_(ledger),
      clock_(clock),
      observer_(observer),
      queue_(options.queue_capacity),
      queue_bound_({
          .capacity = options.queue_capacity,
          .batch_size_max = options.batch_size_max,
          .wait_target = options.wait_target,
      }),
      bound_(queue_bound_.bound()) {
    FC_ASSERT(options.batch_size_max > 0);
}

OrderLane::~OrderLane() {
    close_and_drain();
}

void OrderLane::start() {
    beat(false);
    thread_ = std::thread([this] { run(); });
    const std::string name = "fc-lane-" + std::to_string(options_.shard);
    ::pthread_setname_np(thread_.native_handle(), name.c_str());
}

bool OrderLane::submit(Placement&& placement) {
    FC_ASSERT(placement.sink != nullptr);
    return queue_.try_push(Job{.placement = std::move(placement), .work = {}}, queue_bound());
}

base::MonotonicTime OrderLane::expected_turn() const {
    const std::chrono::nanoseconds each{per_order_ns_.load(std::memory_order_relaxed)};
    return clock_.monotonic() + each * static_cast<std::int64_t>(queue_.size());
}

bool OrderLane::run_on_lane(std::move_only_function<void(ports::OrderLedger&)> work) {
    FC_ASSERT(work != nullptr);
    return queue_.try_push(Job{.placement = {}, .work = std::move(work)});
}

void OrderLane::close_and_drain() {
    queue_.close();
    if (thread_.joinable()) thread_.join();
}

base::MonotonicTime OrderLane::last_beat() const {
    return base::MonotonicTime{
        std::chrono::nanoseconds{last_beat_ns_.load(std::memory_order_relaxed)}};
}

void OrderLane::beat(bool busy) {
    last_beat_ns_.store(clock_.monotonic().time_since_epoch().count(), std::memory_order_relaxed);
    busy_.store(busy, std::memory_order_relaxed);
}

void OrderLane::run() {
    std::vector<Job> batch;
    while (queue_.pop_batch(batch, options_.batch_size_max)) {
        // Work for the lane alone stands between orders; it splits the batch where it was pushed.
        auto from = batch.begin();
        while (from != batch.end()) {
            // Each may wait for a store until its deadline: many that do are slow, not stuck.
            beat(true);
            if (from->work) {
                from->work(ledger_);
                ++from;
                continue;
            }
            const auto to = std::find_if(from, batch.end(), [](const Job& job) {
                return static_cast<bool>(job.work);
            });
            place_and_reply({from, to});
            from = to;
        }
        const bool crowded = batch.size() > 1;
        batch.clear();
        beat(false);
        // In a crowd the io threads have just been woken by our answers: letting them run first
        // makes the next commit carry more orders. A lone order never waits here.
        if (crowded) std::this_thread::yield();
    }
}

void OrderLane::place_and_reply(std::span<Job> orders) {
    FC_ASSERT(!orders.empty());
    const base::MonotonicTime started = clock_.monotonic();
    // Who has stopped waiting is passed over: nobody would hear that they got a unit.
    requests_.clear();
    for (const Job& job : orders) {
        if (job.placement.deadline > started) requests_.push_back(job.placement.request);
    }
    const auto oldest_wait = started - orders.front().placement.arrived;
    if (const std::size_t late = orders.size() - requests_.size(); late > 0) {
        observer_.batch_placed(
            options_.shard,
            ports::BatchReport{
                .outcomes = {},
                .size = late,
                .result = std::unexpected(ports::LedgerError::deadline_passed),
                .queue_wait_oldest = oldest_wait,
                .place_time = {},
                .queue_depth = queue_.size(),
            }
        );
    }
    const base::MonotonicTime ended = requests_.empty() ? started : place(started, oldest_wait);
    reply(orders, {started, ended, static_cast<std::uint32_t>(requests_.size())});
}

base::MonotonicTime OrderLane::place(
    base::MonotonicTime started, std::chrono::nanoseconds oldest_wait
) {
    outcomes_.resize(requests_.size());
    placed_ = ledger_.place(requests_, outcomes_);
    const base::MonotonicTime ended = clock_.monotonic();
    observer_.batch_placed(
        options_.shard,
        ports::BatchReport{
            .outcomes = placed_ ? std::span<const domain::Outcome>(outcomes_)
                                : std::span<const domain::Outcome>{},
            .size = requests_.size(),
            .result = placed_,
            .queue_wait_oldest = oldest_wait,
            .place_time = ended - started,
            .queue_depth = queue_.size(),
        }
    );
    const std::uint64_t full = queue_.full_count();
    queue_bound_.batch_ended({
        .started = started,
        .ended = ended,
        .oldest_wait = oldest_wait,
        .size = requests_.size(),
        .committed = placed_ && std::ranges::any_of(outcomes_, is_new),
        .refused = full != full_seen_,
    });
    full_seen_ = full;
    bound_.store(queue_bound_.bound(), std::memory_order_relaxed);
    per_order_ns_.store(queue_bound_.per_order().count(), std::memory_order_relaxed);
    return ended;
}

void OrderLane::reply(std::span<Job> orders, const PlaceTimes& placed) {
    std::size_t next = 0;  // of outcomes_: those passed over have none
    for (const Job& job : orders) {
        const Placement& placement = job.placement;
        auto mailbox = std::ranges::find(answers_, placement.sink, &Mailbox::sink);
        if (mailbox == answers_.end()) {
            answers_.push_back({.sink = placement.sink, .answers = {}});
            mailbox = answers_.end() - 1;
        }
        Answer& answer = mailbox->answers.emplace_back();
        answer.ticket = placement.ticket;
        answer.placed = placed;
        if (placement.deadline <= placed.began) {
            answer.reply = std::unexpected(ports::LedgerError::deadline_passed);
        } else if (placed_) {
            answer.reply = std::move(outcomes_[next++]);
        } else {
            answer.reply = std::unexpected(placed_.error());
        }
    }
    for (Mailbox& mailbox : answers_) {
        if (mailbox.answers.empty()) continue;
        mailbox.sink->deliver(mailbox.answers);
        mailbox.answers.clear();
    }
}

}  // namespace firstcome::app
