// src/ports/dead_letters.hpp - the port that keeps events which could not be delivered
#pragma once

#include "domain/event.hpp"
#include "ports/event_sink.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::ports {

enum class DeadLetterStatus : std::uint8_t {
    retrying,   // will be tried again by itself
    dead,       // attempts used up: waits for a person
    resolved,   // delivered after all
    discarded,  // given up by a person; its units go back, once
};
[[nodiscard]] std::string_view name(DeadLetterStatus status);
[[nodiscard]] std::optional<DeadLetterStatus> dead_letter_status_from(std::string_view text);

enum class DeadLetterError : std::uint8_t {
    unavailable,  // nothing is changed that was not told: try again later
    not_found,    // no such entry or task
    in_the_way,   // it is being tried right now, is settled already, or another redrive runs
};
[[nodiscard]] std::string_view name(DeadLetterError error);

using DeadLetterId = std::int64_t;

/// The consumer whose open entries hold units back: PostgreSQL's table of orders.
inline constexpr std::string_view orders_consumer = "orders";

struct DeadLetter {
    DeadLetterId id = 0;
    std::string consumer;  ///< the sink that refused it: `orders`, `webhook`
    domain::Event event;   ///< as it was parked, without its position in an outbox
    Cause cause = Cause::invalid;
    std::string last_error;
    unsigned attempts = 0;
    domain::WallTime first_failure;
    domain::WallTime last_failure;
    std::optional<domain::WallTime> next_attempt;  ///< retrying only
    DeadLetterStatus status = DeadLetterStatus::retrying;
};

/// What is asked for; what is not set matches everything.
struct DeadLetterFilter {
    std::optional<DeadLetterStatus> status{};
    std::optional<Cause> cause{};
    std::optional<domain::ItemId> item{};
    std::optional<std::string> consumer{};
};

struct DeadLetterPage {
    std::vector<DeadLetter> entries;  ///< newest first
    std::optional<DeadLetterId> next;
    std::uint64_t total = 0;  ///< all that match the filter
};

/// What is open (retrying or dead), for metrics, health and the stock figures.
struct DeadLetterTotals {
    std::uint64_t retrying = 0;
    std::uint64_t dead = 0;
    std::optional<domain::WallTime> oldest;  ///< first failure of the oldest open entry
    std::map<Cause, std::uint64_t> by_cause;
    /// Units the consumer `orders` does not have, by item: of open entries, and of those given up
    /// until they are back.
    std::map<domain::ItemId, domain::Units> units;
};

struct RedriveTask {
    std::int64_t id = 0;
    DeadLetterFilter filter;
    unsigned per_second = 0;  ///< entries a second at most
    std::string status;       ///< `running`, `done`, `cancelled`
    std::uint64_t moved = 0;  ///< entries made due so far
    std::uint64_t total = 0;  ///< entries that matched when it began
    domain::WallTime started_at;
    std::optional<domain::WallTime> ended_at;
};

/// How many more entries the task may have made due by now: its pace counts from its start, so it
/// holds for all nodes together.
[[nodiscard]] std::uint64_t allowance(const RedriveTask& task, domain::WallTime now);

/// A table of failed events. Many nodes may use it at once: each entry is tried by one at a time.
///
/// Errors   as in DeadLetterError
/// Thread   any one at a time per object
class DeadLetters {
public:
    DeadLetters() = default;
    DeadLetters(const DeadLetters&) = delete;
    DeadLetters& operator=(const DeadLetters&) = delete;
    virtual ~DeadLetters() = default;

    template <typename T>
    using Result = std::expected<T, DeadLetterError>;

    /// Keeps the event; parking the same event of the same consumer again changes nothing. A cause
    /// that counts has used up its first attempt.
    [[nodiscard]] virtual Result<void> park(
        const domain::Event& event,
        std::string_view consumer,
        const DeliveryFailure& failure,
        domain::WallTime now,
        domain::WallTime next_attempt
    ) = 0;

    /// Entries whose time has come, oldest first; each is this caller's alone until `claim_until`.
    [[nodiscard]] virtual Result<std::vector<DeadLetter>> claim_due(
        std::string_view consumer,
        domain::WallTime now,
        domain::WallTime claim_until,
        std::size_t max
    ) = 0;

    /// The entry was delivered: it is settled, whoever has claimed it meanwhile; again: nothing
    /// changes. in_the_way: it was given up.
    [[nodiscard]] virtual Result<void> resolve(DeadLetterId id, domain::WallTime now) = 0;

    /// An entry this object claimed failed again. `counts`: uses up an attempt. No `next_attempt`:
    /// it is dead. in_the_way: the claim has ended and somebody has it now, or it is settled.
    [[nodiscard]] virtual Result<void> failed_again(
        DeadLetterId id,
        const DeliveryFailure& failure,
        bool counts,
        domain::WallTime now,
        std::optional<domain::WallTime> next_attempt
    ) = 0;

    [[nodiscard]] virtual Result<std::optional<DeadLetter>> find(DeadLetterId id) = 0;
    [[nodiscard]] virtual Result<DeadLetterPage> list(
        const DeadLetterFilter& filter, std::size_t limit, std::optional<DeadLetterId> below
    ) = 0;
    [[nodiscard]] virtual Result<DeadLetterTotals> totals() = 0;

    /// A person wants it tried again now, with a fresh set of attempts.
    [[nodiscard]] virtual Result<DeadLetter> retry(DeadLetterId id, domain::WallTime now) = 0;

    /// Gives the entry up, once: decided here, with an audit row; what must be given back is then
    /// `undone`. in_the_way: it is being tried, or settled.
    [[nodiscard]] virtual Result<DeadLetter> discard(
        DeadLetterId id, std::string_view reason, std::string_view who, domain::WallTime now
    ) = 0;
    /// Discarded entries whose units are not known to be back yet; also after a crash in between.
    [[nodiscard]] virtual Result<std::vector<DeadLetter>> undone(std::size_t max) = 0;
    /// The units of this discarded entry are back (or there were none to give).
    [[nodiscard]] virtual Result<void> compensated(DeadLetterId id) = 0;

    /// Forgets entries that were settled before this, the longest ago first; how many. Audit rows
    /// stay, and so does a discarded entry of `orders`: nothing else tells of its order.
    [[nodiscard]] virtual Result<std::size_t> forget_settled(
        domain::WallTime before, std::size_t max
    ) = 0;

    /// Starts making dead entries due again, slowly: those that are there now, each once.
    /// in_the_way: one runs already.
    [[nodiscard]] virtual Result<RedriveTask> start_redrive(
        const DeadLetterFilter& filter, unsigned per_second, domain::WallTime now
    ) = 0;
    /// Makes up to `max` more entries of the running task due, and over all nodes never more than
    /// its `per_second` for each second since it began; nothing: no task runs.
    [[nodiscard]] virtual Result<std::optional<RedriveTask>> continue_redrive(
        std::size_t max, domain::WallTime now
    ) = 0;
    [[nodiscard]] virtual Result<RedriveTask> cancel_redrive(
        std::int64_t task, domain::WallTime now
    ) = 0;
    [[nodiscard]] virtual Result<RedriveTask> redrive(std::int64_t task) = 0;
    /// The newest tasks first, at most 100.
    [[nodiscard]] virtual Result<std::vector<RedriveTask>> redrives() = 0;
};

}  // namespace firstcome::ports
