// src/app/relay.hpp - one outbox to one sink: in order, at least once, around what is refused
#pragma once

#include "app/drain_deadline.hpp"
#include "base/doorbell.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "ports/dead_letters.hpp"
#include "ports/event_sink.hpp"
#include "ports/outbox.hpp"
#include "resilience/backoff.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <thread>

namespace firstcome::app {

struct RelayOptions {
    std::string thread_name = "fc-relay-0";    ///< at most 15 characters
    std::size_t batch_max = 1024;              ///< events asked of the outbox at once
    std::chrono::milliseconds pull_wait{100};  ///< how long an empty outbox is listened to
    /// After a fault of the outbox, the sink or the dead letters, which passes by itself.
    resilience::BackoffOptions fault{
        .first = std::chrono::milliseconds{100}, .cap = std::chrono::seconds{5}};
    /// Until a parked event is tried for the second time.
    resilience::BackoffOptions parked{
        .first = std::chrono::seconds{1}, .cap = std::chrono::minutes{5}};
};

/// What a relay stands between. `sink` and `dead_letters` are its own: nobody else calls them.
struct RelayEnds {
    ports::Outbox& outbox;             // outlives
    ports::EventSink& sink;            // outlives
    ports::DeadLetters& dead_letters;  // outlives
    const base::Clock& clock;          // outlives
    base::Entropy& entropy;            // outlives; the relay's own
};

/// Events the sink has just taken, and when; called on the relay's thread once per sink call, for
/// the delay (`now` - occurred_at) and the trace of each.
using DeliveredObserver =
    std::function<void(std::span<const domain::Event> delivered, base::WallTime now)>;

/// What one round came to.
struct RelayStep {
    std::chrono::milliseconds rest{};  ///< 0: go on at once
    std::size_t settled = 0;           ///< events delivered or parked, and acknowledged
    bool empty = false;                ///< the outbox had nothing
    bool not_ours = false;             ///< another node leads this line now
};

/// Counted since the start. Every figure is right by itself; together they may be a batch apart.
struct RelayCounts {
    std::uint64_t batches = 0;     ///< pulls that gave events
    std::uint64_t sink_calls = 0;  ///< more than batches: refusals were looked for by halves
    std::uint64_t delivered = 0;   ///< events
    std::array<std::uint64_t, ports::causes.size()> parked{};     ///< events, by cause
    std::array<std::uint64_t, ports::causes.size()> transient{};  ///< failed sink calls, by cause
    std::uint64_t outbox_faults = 0;      ///< pulls and acknowledgements that failed
    std::uint64_t park_faults = 0;        ///< events that could not be parked at once
    std::chrono::milliseconds backoff{};  ///< the rest it takes now; 0: none
};

/// Carries events from the outbox to the sink. What passes by itself is waited out and holds up
/// everything behind it; what the sink refuses for good is parked and holds up nothing. An event is
/// acknowledged only after it is in the sink or among the dead letters.
class Relay {
public:
    Relay(RelayOptions options, RelayEnds ends, DeliveredObserver observer = {});
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    /// One round: pull, deliver, park, acknowledge. While a backoff lasts: nothing.
    ///
    /// Thread   the relay's (`start`), a leader's, or a test's; one at a time
    RelayStep step();

    /// Runs rounds on a thread of its own, until `drain`.
    void start();

    /// Goes on until the outbox is empty or the deadline has passed (and a sink call that was
    /// running then has come back), ends the thread, and says how many events are left.
    ///
    /// Thread   the one that called start
    std::uint64_t drain(base::MonotonicTime deadline);

    /// From now on an empty outbox is not listened to, and no sink call begins after the deadline:
    /// what `drain` does, for those who call `step` themselves.
    ///
    /// Thread   any
    void hurry(base::MonotonicTime deadline);

    /// Thread   any
    [[nodiscard]] RelayCounts counts() const;

    /// Thread   any
    [[nodiscard]] ports::OutboxDepth depth() const { return ends_.outbox.depth(); }

private:
    using ByCause = std::array<std::atomic<std::uint64_t>, ports::causes.size()>;

    /// How far a batch came; `fault`: it ended there.
    struct Settled {
        std::size_t events = 0;
        bool fault = false;
    };

    Settled settle(std::span<const domain::Event> batch);
    ports::Delivery deliver(std::span<const domain::Event> events);
    bool park(const domain::Event& event, const ports::DeliveryFailure& failure);
    void end_backoff();
    RelayStep rest_after_fault(RelayStep step);
    RelayStep rest_after(ports::OutboxError error, RelayStep step);
    void run();

    RelayOptions options_;
    RelayEnds ends_;
    DeliveredObserver observer_;
    resilience::Backoff backoff_;
    base::Doorbell bell_;
    DrainDeadline drain_;
    std::thread thread_;

    std::atomic<std::uint64_t> batches_{0};
    std::atomic<std::uint64_t> sink_calls_{0};
    std::atomic<std::uint64_t> delivered_{0};
    ByCause parked_{};
    ByCause transient_{};
    std::atomic<std::uint64_t> outbox_faults_{0};
    std::atomic<std::uint64_t> park_faults_{0};
    std::atomic<std::int64_t> backoff_ms_{0};
};

}  // namespace firstcome::app
