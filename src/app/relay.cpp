// src/app/relay.cpp - one outbox to one sink: in order, at least once, around what is refused
#include "app/relay.hpp"

#include "base/assert.hpp"
#include "base/failpoint.hpp"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace firstcome::app {
namespace {

/// How many events to offer next, so that among n of them each refused one costs about 2 log2(n)
/// sink calls: halved while one is looked for, doubled again behind it.
class Window {
public:
    explicit Window(std::size_t size) : size_(size) {}

    [[nodiscard]] std::size_t next(std::size_t done, std::size_t end) const {
        if (done < suspects_end_) return (suspects_end_ - done + 1) / 2;
        return std::min(size_, end - done);
    }

    void refused(std::size_t done, std::size_t count) {
        suspects_end_ = done + count;
        size_ = 1;
    }

    void taken(std::size_t done) {
        if (done >= suspects_end_) size_ *= 2;
    }

    /// The one that was refused stood alone.
    void found() { suspects_end_ = 0; }

private:
    std::size_t size_;
    std::size_t suspects_end_ = 0;  // among those before it one was refused
};

std::size_t index_of(ports::Cause cause) {
    return static_cast<std::size_t>(
        std::ranges::find(ports::causes, cause) - ports::causes.begin()
    );
}

template <typename Counts>
void read(std::array<std::uint64_t, ports::causes.size()>& into, const Counts& from) {
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = from[i].load(std::memory_order_relaxed);
}

}  // namespace

Relay::Relay(RelayOptions options, RelayEnds ends, DeliveredObserver observer)
    : options_(std::move(options)),
      ends_(ends),
      observer_(std::move(observer)),
      backoff_(options_.fault) {
    FC_ASSERT(options_.batch_max > 0);
    FC_ASSERT(options_.thread_name.size() <= 15);
}

Relay::~Relay() {
    drain(base::MonotonicTime::min());
}

RelayStep Relay::step() {
    RelayStep step;
    step.rest = backoff_.left(ends_.clock.monotonic());
    if (step.rest.count() > 0) return step;

    const auto wait = drain_.is_set() ? std::chrono::milliseconds{} : options_.pull_wait;
    const auto pulled = ends_.outbox.pull(options_.batch_max, wait);
    if (!pulled) return rest_after(pulled.error(), step);
    if (pulled->empty()) {
        step.empty = true;
        end_backoff();
        return step;
    }
    batches_.fetch_add(1, std::memory_order_relaxed);
    const Settled settled = settle(*pulled);
    if (settled.events > 0) {
        base::failpoint("before_acknowledge");
        const auto told = ends_.outbox.acknowledge(std::span(*pulled).first(settled.events));
        if (!told) return rest_after(told.error(), step);
        base::failpoint("after_acknowledge");
        step.settled = settled.events;
        end_backoff();
    }
    return settled.fault ? rest_after_fault(step) : step;
}

Relay::Settled Relay::settle(std::span<const domain::Event> batch) {
    Window window{batch.size()};
    std::size_t done = 0;
    while (done < batch.size() && !drain_.has_passed(ends_.clock.monotonic())) {
        const auto part = batch.subspan(done, window.next(done, batch.size()));
        const ports::Delivery delivery = deliver(part);
        done += delivery.delivered;
        if (!delivery.failure) {
            window.taken(done);
            continue;
        }
        if (ports::is_transient(delivery.failure->cause)) return {.events = done, .fault = true};
        const std::size_t suspects = part.size() - delivery.delivered;
        if (!delivery.failure->exact && suspects > 1) {
            window.refused(done, suspects);
            continue;
        }
        if (!park(batch[done], *delivery.failure)) return {.events = done, .fault = true};
        window.found();
        ++done;
    }
    return {.events = done};
}

ports::Delivery Relay::deliver(std::span<const domain::Event> events) {
    sink_calls_.fetch_add(1, std::memory_order_relaxed);
    base::failpoint("before_deliver");
    ports::Delivery delivery = ends_.sink.deliver(events);
    base::failpoint("after_deliver");
    FC_ASSERT(delivery.delivered <= events.size());
    FC_ASSERT((delivery.delivered == events.size()) == !delivery.failure.has_value());
    delivered_.fetch_add(delivery.delivered, std::memory_order_relaxed);
    if (delivery.failure && ports::is_transient(delivery.failure->cause)) {
        transient_[index_of(delivery.failure->cause)].fetch_add(1, std::memory_order_relaxed);
    }
    if (delivery.delivered > 0 && observer_) {
        observer_(events.first(delivery.delivered), ends_.clock.wall());
    }
    return delivery;
}

bool Relay::park(const domain::Event& event, const ports::DeliveryFailure& failure) {
    base::failpoint("before_park");
    const base::WallTime now = ends_.clock.wall();
    const auto rest = resilience::draw_rest(options_.parked, 1, ends_.entropy);
    const auto parked =
        ends_.dead_letters.park(event, ends_.sink.consumer(), failure, now, now + rest);
    if (!parked) {
        park_faults_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    base::failpoint("after_park");
    parked_[index_of(failure.cause)].fetch_add(1, std::memory_order_relaxed);
    return true;
}

void Relay::end_backoff() {
    backoff_.succeeded();
    backoff_ms_.store(0, std::memory_order_relaxed);
}

RelayStep Relay::rest_after_fault(RelayStep step) {
    step.rest = backoff_.failed(ends_.clock.monotonic(), ends_.entropy);
    backoff_ms_.store(step.rest.count(), std::memory_order_relaxed);
    return step;
}

RelayStep Relay::rest_after(ports::OutboxError error, RelayStep step) {
    outbox_faults_.fetch_add(1, std::memory_order_relaxed);
    step.not_ours = error == ports::OutboxError::not_ours;
    return rest_after_fault(step);
}

void Relay::hurry(base::MonotonicTime deadline) {
    drain_.set(deadline);
    ends_.outbox.wake();
}

void Relay::start() {
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), options_.thread_name.c_str());
}

std::uint64_t Relay::drain(base::MonotonicTime deadline) {
    hurry(deadline);
    bell_.ring();
    if (thread_.joinable()) thread_.join();
    return ends_.outbox.depth().pending;
}

void Relay::run() {
    while (!drain_.has_passed(ends_.clock.monotonic())) {
        const bool draining = drain_.is_set();
        const RelayStep done = step();
        if (draining && (done.empty || done.not_ours)) return;
        if (done.rest.count() > 0) bell_.rest(drain_.shorten(done.rest, ends_.clock.monotonic()));
    }
}

RelayCounts Relay::counts() const {
    RelayCounts counts;
    counts.batches = batches_.load(std::memory_order_relaxed);
    counts.sink_calls = sink_calls_.load(std::memory_order_relaxed);
    counts.delivered = delivered_.load(std::memory_order_relaxed);
    read(counts.parked, parked_);
    read(counts.transient, transient_);
    counts.outbox_faults = outbox_faults_.load(std::memory_order_relaxed);
    counts.park_faults = park_faults_.load(std::memory_order_relaxed);
    counts.backoff = std::chrono::milliseconds{backoff_ms_.load(std::memory_order_relaxed)};
    return counts;
}

}  // namespace firstcome::app
