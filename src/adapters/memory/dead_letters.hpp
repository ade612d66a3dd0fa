// src/adapters/memory/dead_letters.hpp - the reference table of dead letters: the rules alone
#pragma once

#include "ports/dead_letters.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::memory {

/// One node's view of a table that several may share. Nothing survives the last of them.
///
/// Errors   whatever `fail_next` was told, before anything is changed; otherwise as the port says
/// Thread   as the port says; views of one table may be used at once
class DeadLetters final : public ports::DeadLetters {
public:
    DeadLetters() : table_(std::make_shared<Table>()) {}

    /// Another node's view of the same table.
    [[nodiscard]] std::unique_ptr<DeadLetters> other_node() const {
        return std::unique_ptr<DeadLetters>(new DeadLetters(table_));
    }

    [[nodiscard]] Result<void> park(
        const domain::Event& event,
        std::string_view consumer,
        const ports::DeliveryFailure& failure,
        domain::WallTime now,
        domain::WallTime next_attempt
    ) override;
    [[nodiscard]] Result<std::vector<ports::DeadLetter>> claim_due(
        std::string_view consumer,
        domain::WallTime now,
        domain::WallTime claim_until,
        std::size_t max
    ) override;
    [[nodiscard]] Result<void> resolve(ports::DeadLetterId id, domain::WallTime now) override;
    [[nodiscard]] Result<void> failed_again(
        ports::DeadLetterId id,
        const ports::DeliveryFailure& failure,
        bool counts,
        domain::WallTime now,
        std::optional<domain::WallTime> next_attempt
    ) override;

    [[nodiscard]] Result<std::optional<ports::DeadLetter>> find(ports::DeadLetterId id) override;
    [[nodiscard]] Result<ports::DeadLetterPage> list(
        const ports::DeadLetterFilter& filter,
        std::size_t limit,
        std::optional<ports::DeadLetterId> below
    ) override;
    [[nodiscard]] Result<ports::DeadLetterTotals> totals() override;

    [[nodiscard]] Result<ports::DeadLetter> retry(ports::DeadLetterId id, domain::WallTime now)
        override;
    [[nodiscard]] Result<ports::DeadLetter> discard(
        ports::DeadLetterId id, std::string_view reason, std::string_view who, domain::WallTime now
    ) override;
    [[nodiscard]] Result<std::vector<ports::DeadLetter>> undone(std::size_t max) override;
    [[nodiscard]] Result<void> compensated(ports::DeadLetterId id) override;
    [[nodiscard]] Result<std::size_t> forget_settled(domain::WallTime before, std::size_t max)
        override;

    [[nodiscard]] Result<ports::RedriveTask> start_redrive(
        const ports::DeadLetterFilter& filter, unsigned per_second, domain::WallTime now
    ) override;
    [[nodiscard]] Result<std::optional<ports::RedriveTask>> continue_redrive(
        std::size_t max, domain::WallTime now
    ) override;
    [[nodiscard]] Result<ports::RedriveTask> cancel_redrive(std::int64_t task, domain::WallTime now)
        override;
    [[nodiscard]] Result<ports::RedriveTask> redrive(std::int64_t task) override;
    [[nodiscard]] Result<std::vector<ports::RedriveTask>> redrives() override;

    /// The next call fails like this, as a database would.
    void fail_next(ports::DeadLetterError error) { fail_next_ = error; }

    /// From now on every call fails like this; nothing: none does.
    void fail_with(std::optional<ports::DeadLetterError> error) { fail_with_ = error; }

    /// The audit rows as "who: reason", oldest first.
    [[nodiscard]] std::vector<std::string> audits() const;

private:
    struct Entry {
        ports::DeadLetter letter;
        std::optional<domain::WallTime> claim_until;
        bool compensated = false;
        std::optional<domain::WallTime> settled_at{};
    };

    struct Task {
        ports::RedriveTask task;
        ports::DeadLetterId last_entry = 0;  ///< moved up to here
    };

    struct Table {
        std::mutex mutex;
        std::map<ports::DeadLetterId, Entry> entries;
        std::map<std::pair<std::string, domain::OrderId>, ports::DeadLetterId> by_event;
        std::map<std::int64_t, Task> tasks;
        std::vector<std::string> audits;
    };

    explicit DeadLetters(std::shared_ptr<Table> table) : table_(std::move(table)) {}

    /// The entry, open and tried by nobody.
    [[nodiscard]] Result<Entry*> free_entry(ports::DeadLetterId id, domain::WallTime now);
    [[nodiscard]] std::optional<ports::DeadLetterError> fault();

    std::shared_ptr<Table> table_;
    std::map<ports::DeadLetterId, domain::WallTime> claims_;  // ours, and until when
    std::optional<ports::DeadLetterError> fail_next_;
    std::optional<ports::DeadLetterError> fail_with_;
};

}  // namespace firstcome::memory
