// src/app/dead_letter_desk.cpp - tries dead letters again, redrives them, and makes discards good
#include "app/dead_letter_desk.hpp"

#include "base/assert.hpp"
#include "base/failpoint.hpp"

#include <algorithm>
#include <bitset>
#include <pthread.h>
#include <utility>

namespace firstcome::app {
namespace {

template <typename Container>
std::size_t index_in(const Container& all, typename Container::value_type one) {
    return static_cast<std::size_t>(std::ranges::find(all, one) - all.begin());
}

/// Whether giving the entry up gives units back: only the order itself holds them, on its way into
/// the record. Whoever is merely told of an order decides nothing about it.
bool holds_units(const ports::DeadLetter& entry) {
    return entry.consumer == ports::orders_consumer &&
           entry.event.type == domain::EventType::order_accepted;
}

}  // namespace

std::string_view name(DeskAction action) {
    switch (action) {
        case DeskAction::resolved: return "resolved";
        case DeskAction::failed: return "failed";
        case DeskAction::died: return "died";
        case DeskAction::discarded: return "discarded";
        case DeskAction::compensated: return "compensated";
    }
    FC_UNREACHABLE();
}

DeadLetterDesk::DeadLetterDesk(DeskOptions options, DeskParts parts)
    : options_(options),
      parts_(std::move(parts)),
      asked_(options.asked_capacity),
      undone_wanted_(options.undone_max) {
    FC_ASSERT(parts_.release != nullptr);
    FC_ASSERT(options_.undone_max > 0 && options_.undone_max <= options_.undone_looked_max);
    FC_ASSERT(options_.attempts_max > 0);
    for (ports::EventSink* sink : parts_.sinks) {
        FC_ASSERT(sink != nullptr);
        consumers_.push_back({sink, resilience::Backoff{options_.sink_fault}});
    }
}

DeadLetterDesk::~DeadLetterDesk() {
    stop();
}

void DeadLetterDesk::step() {
    run_asked();
    finish_discards();
    for (Consumer& consumer : consumers_) try_due(consumer);
    continue_redrive();
    forget_settled();
    read_totals();
}

void DeadLetterDesk::run_asked() {
    // The size first: an empty queue would be waited for.
    if (asked_.size() == 0) return;
    std::vector<Work> all;
    if (!asked_.pop_batch(all, options_.asked_capacity)) return;
    for (Work& work : all) work(parts_.dead_letters);
}

void DeadLetterDesk::finish_discards() {
    const auto undone = parts_.dead_letters.undone(undone_wanted_);
    if (!undone) return void(fault(undone.error()));
    // A shard that gives nothing back now is asked once a tick, not once an entry; each tick begins
    // behind the entry that failed last, since it may be that one alone that cannot be made good.
    std::bitset<64> unable;
    bool any_made_good = false;
    for (const bool from_the_front : {false, true}) {
        for (const ports::DeadLetter& entry : *undone) {
            const unsigned shard = entry.event.order.id.shard();
            if (unable[shard] || (entry.id <= failed_last_[shard]) != from_the_front) continue;
            unable[shard] = !compensate(entry);
            if (unable[shard]) failed_last_[shard] = entry.id;
            any_made_good = any_made_good || !unable[shard];
            run_asked();
        }
    }
    // Those of a shard that is able may wait behind more than were looked at.
    const bool all_unable = undone->size() == undone_wanted_ && !any_made_good;
    undone_wanted_ =
        all_unable ? std::min(2 * undone_wanted_, options_.undone_looked_max) : options_.undone_max;
}

bool DeadLetterDesk::compensate(const ports::DeadLetter& entry) {
    FC_ASSERT(entry.status == ports::DeadLetterStatus::discarded);
    const bool held = holds_units(entry);
    if (held && !parts_.release(entry.event.order.id, "discarded")) {
        faults_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    base::failpoint("before_compensated");
    const auto noted = parts_.dead_letters.compensated(entry.id);
    if (!noted) {
        fault(noted.error());
    } else if (held) {
        counted(DeskAction::compensated, entry.cause);
    }
    return true;
}

void DeadLetterDesk::try_due(Consumer& consumer) {
    if (consumer.backoff.left(parts_.clock.monotonic()).count() > 0) return;
    for (std::size_t tries = 0; tries < options_.tries_max && !closed_; ++tries) {
        // One at a time, so that no claim grows old behind a slow sink.
        const base::WallTime now = parts_.clock.wall();
        const auto due = parts_.dead_letters.claim_due(
            consumer.sink->consumer(), now, now + options_.claim_for, 1
        );
        if (!due) return void(fault(due.error()));
        if (due->empty()) return;
        if (!try_one(consumer, due->front())) return;
        run_asked();
    }
}

bool DeadLetterDesk::try_one(Consumer& consumer, const ports::DeadLetter& entry) {
    base::failpoint("before_redeliver");
    const ports::Delivery delivery = consumer.sink->deliver({&entry.event, 1});
    base::failpoint("after_redeliver");
    if (delivery.failure) return refused(consumer, entry, *delivery.failure);
    FC_ASSERT(delivery.delivered == 1);
    consumer.backoff.succeeded();
    const auto resolved = parts_.dead_letters.resolve(entry.id, parts_.clock.wall());
    if (!resolved) return fault(resolved.error());
    counted(DeskAction::resolved, entry.cause);
    return true;
}

bool DeadLetterDesk::refused(
    Consumer& consumer, const ports::DeadLetter& entry, const ports::DeliveryFailure& failure
) {
    const base::WallTime now = parts_.clock.wall();
    const bool counts = !ports::is_transient(failure.cause);
    const unsigned attempts = entry.attempts + 1;
    std::optional<base::WallTime> next;
    if (!counts) {
        next = now + consumer.backoff.failed(parts_.clock.monotonic(), parts_.entropy);
    } else if (attempts < options_.attempts_max) {
        next = now + resilience::draw_rest(options_.backoff, attempts, parts_.entropy);
    }
    const auto noted = parts_.dead_letters.failed_again(entry.id, failure, counts, now, next);
    if (!noted) return fault(noted.error()) && counts;
    counted(next ? DeskAction::failed : DeskAction::died, failure.cause);
    return counts;
}

/// The pace is kept by a bucket of one second's worth that fills with the clock and is emptied by
/// what the task's own count has grown, whoever moved it: so several nodes together keep the pace
/// that was asked, and nothing is caught up after a stop.
void DeadLetterDesk::continue_redrive() {
    const base::MonotonicTime now = parts_.clock.monotonic();
    const double tokens = pace_ ? pace_->tokens_at(now) : 0;
    const auto max = static_cast<std::size_t>(std::max(tokens, 0.0));
    const auto task = parts_.dead_letters.continue_redrive(max, parts_.clock.wall());
    if (!task) return void(fault(task.error()));
    if (!*task) {
        pace_.reset();
        return;
    }
    const ports::RedriveTask& running = **task;
    const auto per_second = static_cast<double>(running.per_second);
    if (!pace_ || pace_->task != running.id) {
        pace_ = Pace{running.id, per_second, 0, running.moved, now};
        return;
    }
    const auto moved = static_cast<double>(running.moved - pace_->moved);
    pace_ = Pace{running.id, per_second, std::max(tokens - moved, -per_second), running.moved, now};
}

double DeadLetterDesk::Pace::tokens_at(base::MonotonicTime now) const {
    const std::chrono::duration<double> passed = now - as_of;
    return std::min(tokens + passed.count() * per_second, per_second);
}

/// A piece at a time: what is left of a large heap goes with the next ticks.
void DeadLetterDesk::forget_settled() {
    const base::MonotonicTime now = parts_.clock.monotonic();
    if (now < forget_at_) return;
    const auto gone = parts_.dead_letters.forget_settled(
        parts_.clock.wall() - options_.keep, options_.forgotten_max
    );
    if (!gone) return void(fault(gone.error()));
    if (*gone < options_.forgotten_max) forget_at_ = now + options_.forget_every;
}

void DeadLetterDesk::read_totals() {
    auto read = parts_.dead_letters.totals();
    if (!read) return void(fault(read.error()));
    auto totals = std::make_shared<const ports::DeadLetterTotals>(*std::move(read));
    const std::lock_guard lock{totals_mutex_};
    totals_.swap(totals);
}

bool DeadLetterDesk::ask(std::move_only_function<void(ports::DeadLetters&)> work) {
    FC_ASSERT(work != nullptr);
    if (!asked_.try_push(std::move(work))) return false;
    bell_.ring();
    return true;
}

bool DeadLetterDesk::discard(
    ports::DeadLetterId id,
    std::string reason,
    std::string who,
    std::move_only_function<void(Result<ports::DeadLetter>)> done
) {
    return ask([this, id, reason = std::move(reason), who = std::move(who), done = std::move(done)](
                   ports::DeadLetters& dead_letters
               ) mutable {
        auto discarded = dead_letters.discard(id, reason, who, parts_.clock.wall());
        if (discarded) {
            base::failpoint("before_compensate");
            counted(DeskAction::discarded, discarded->cause);
            compensate(*discarded);
        }
        done(std::move(discarded));
    });
}

void DeadLetterDesk::start() {
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "fc-housekeeping");
}

void DeadLetterDesk::run() {
    while (!closed_) {
        step();
        // Work that is asked meanwhile is served at once, and does not make the tick come sooner.
        const base::MonotonicTime next = parts_.clock.monotonic() + options_.tick;
        while (!closed_) {
            const auto left = next - parts_.clock.monotonic();
            if (left.count() <= 0) break;
            bell_.rest(left);
            run_asked();
        }
    }
    run_asked();
}

void DeadLetterDesk::stop() {
    asked_.close();
    closed_ = true;
    bell_.ring();
    if (thread_.joinable()) {
        thread_.join();
    } else {
        run_asked();
    }
}

std::shared_ptr<const ports::DeadLetterTotals> DeadLetterDesk::totals() const {
    const std::lock_guard lock{totals_mutex_};
    return totals_;
}

void DeadLetterDesk::counted(DeskAction action, ports::Cause cause) {
    counts_[index_in(desk_actions, action)][index_in(ports::causes, cause)].fetch_add(
        1, std::memory_order_relaxed
    );
}

std::uint64_t DeadLetterDesk::count(DeskAction action, ports::Cause cause) const {
    return counts_[index_in(desk_actions, action)][index_in(ports::causes, cause)].load(
        std::memory_order_relaxed
    );
}

/// True: only this entry is concerned, which another node has settled meanwhile.
bool DeadLetterDesk::fault(ports::DeadLetterError error) {
    if (error != ports::DeadLetterError::unavailable) return true;
    faults_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

}  // namespace firstcome::app
