// src/app/dead_letter_desk.hpp - tries dead letters again, redrives them, and makes discards good
#pragma once

#include "base/bounded_queue.hpp"
#include "base/doorbell.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "ports/dead_letters.hpp"
#include "ports/event_sink.hpp"
#include "ports/order_ledger.hpp"
#include "resilience/backoff.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace firstcome::app {

struct DeskOptions {
    std::chrono::milliseconds tick{500};  ///< how often it looks; asked work does not wait for it
    unsigned attempts_max = 5;            ///< deliveries of an event in all, the relay's included
    resilience::BackoffOptions backoff{
        .first = std::chrono::seconds{1}, .cap = std::chrono::minutes{5}};
    /// While a whole sink is out of reach, so that it is not asked for every entry.
    resilience::BackoffOptions sink_fault{
        .first = std::chrono::seconds{1}, .cap = std::chrono::seconds{30}};
    /// How long a claimed entry is ours alone: longer than any sink's own deadline.
    std::chrono::milliseconds claim_for{60'000};
    std::size_t tries_max = 256;           ///< entries of one consumer per tick
    std::size_t undone_max = 256;          ///< discards made good per tick
    std::size_t undone_looked_max = 4096;  ///< looked at, while none of those before can be
    std::size_t asked_capacity = 64;  ///< pieces of work that may wait; beyond it `ask` says no
    std::chrono::milliseconds keep = std::chrono::days{30};  ///< settled entries, then forgotten
    std::chrono::milliseconds forget_every{60'000};
    std::size_t forgotten_max = 1000;  ///< at once
};

/// Gives the order's units back, once however often it is called, on the order's own lane. Any
/// error: the desk asks again at its next tick.
///
/// Thread   the desk's; blocks until the lane has answered or a deadline has passed
using ReleaseOrder = std::function<
    std::expected<ports::Release, ports::LedgerError>(domain::OrderId, std::string_view reason)>;

/// What the desk works with. `dead_letters` and `sinks` are its own: nobody else calls them.
struct DeskParts {
    ports::DeadLetters& dead_letters;      // outlives
    std::vector<ports::EventSink*> sinks;  // outlive; one per consumer
    ReleaseOrder release;
    const base::Clock& clock;  // outlives
    base::Entropy& entropy;    // outlives; the desk's own
};

/// What became of an entry: the metrics label.
enum class DeskAction : std::uint8_t {
    resolved,     // delivered after all
    failed,       // refused again, or the sink was out of reach: it will be tried again
    died,         // refused for the last time: waits for a person
    discarded,    // given up by a person
    compensated,  // it held units, and they are back
};
inline constexpr std::array desk_actions{
    DeskAction::resolved,
    DeskAction::failed,
    DeskAction::died,
    DeskAction::discarded,
    DeskAction::compensated,
};
[[nodiscard]] std::string_view name(DeskAction action);

/// One thread, `fc-housekeeping`, that looks after the dead letters of all consumers. Several nodes
/// may do so at once: each entry is tried by one at a time, and its units go back once.
class DeadLetterDesk {
public:
    template <typename T>
    using Result = ports::DeadLetters::Result<T>;

    DeadLetterDesk(DeskOptions options, DeskParts parts);
    ~DeadLetterDesk();
    DeadLetterDesk(const DeadLetterDesk&) = delete;
    DeadLetterDesk& operator=(const DeadLetterDesk&) = delete;

    /// One tick: asked work, undone discards, due entries, the redrive, what may be forgotten, the
    /// totals.
    ///
    /// Thread   the desk's, or a test's; one at a time
    void step();

    void start();

    /// Finishes the work that was asked, and ends the thread; nothing else is begun.
    ///
    /// Thread   the one that called start
    void stop();

    /// Runs `work` on the desk's thread soon, between two deliveries. False: too much waits, or the
    /// desk is closed; then `work` is never called.
    ///
    /// Thread   any
    [[nodiscard]] bool ask(std::move_only_function<void(ports::DeadLetters&)> work);

    /// Gives the entry up and its units back at once if that is possible now, else at a later tick;
    /// `done` gets the decision, once, on the desk's thread. False: as with `ask`.
    ///
    /// Thread   any
    [[nodiscard]] bool discard(
        ports::DeadLetterId id,
        std::string reason,
        std::string who,
        std::move_only_function<void(Result<ports::DeadLetter>)> done
    );

    /// As of the last tick that could ask; null: none could yet.
    ///
    /// Thread   any; never waits for the store
    [[nodiscard]] std::shared_ptr<const ports::DeadLetterTotals> totals() const;

    /// Entries since the start, for `firstcome_dlq_events_total{action,cause}`.
    ///
    /// Thread   any
    [[nodiscard]] std::uint64_t count(DeskAction action, ports::Cause cause) const;

    /// Calls to the store or for a release that failed and are made again.
    ///
    /// Thread   any
    [[nodiscard]] std::uint64_t faults() const { return faults_.load(std::memory_order_relaxed); }

private:
    using Work = std::move_only_function<void(ports::DeadLetters&)>;

    struct Consumer {
        ports::EventSink* sink;
        resilience::Backoff backoff;
    };

    void run();
    void run_asked();
    void finish_discards();
    bool compensate(const ports::DeadLetter& entry);
    void try_due(Consumer& consumer);
    bool try_one(Consumer& consumer, const ports::DeadLetter& entry);
    bool refused(
        Consumer& consumer, const ports::DeadLetter& entry, const ports::DeliveryFailure& failure
    );
    void continue_redrive();
    void forget_settled();
    void read_totals();
    void counted(DeskAction action, ports::Cause cause);
    bool fault(ports::DeadLetterError error);

    DeskOptions options_;
    DeskParts parts_;
    std::vector<Consumer> consumers_;
    base::BoundedQueue<Work> asked_;
    base::Doorbell bell_;
    std::atomic<bool> closed_{false};
    std::thread thread_;

    /// How fast the running redrive may go: see continue_redrive.
    struct Pace {
        std::int64_t task = 0;
        double per_second = 0;
        double tokens = 0;  ///< entries that may be moved; below 0: others moved too many
        std::uint64_t moved = 0;
        base::MonotonicTime as_of{};

        [[nodiscard]] double tokens_at(base::MonotonicTime now) const;
    };

    std::size_t undone_wanted_;
    std::array<ports::DeadLetterId, 64> failed_last_{};  // by shard: where a discard stayed undone
    std::optional<Pace> pace_;
    base::MonotonicTime forget_at_{};

    std::array<std::array<std::atomic<std::uint64_t>, ports::causes.size()>, desk_actions.size()>
        counts_{};
    std::atomic<std::uint64_t> faults_{0};
    mutable std::mutex totals_mutex_;  // held for a copy of the pointer only
    std::shared_ptr<const ports::DeadLetterTotals> totals_;
};

}  // namespace firstcome::app
