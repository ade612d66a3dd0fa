// src/adapters/postgres/dead_letters.hpp - dead letters beside the orders they are kept out of
#pragma once

#include "adapters/postgres/connection.hpp"
#include "ports/dead_letters.hpp"
#include "ports/system_of_record.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::postgres {

struct DeadLettersOptions {
    ConnectionOptions connection;
    bool events = false;  ///< orders that are given up write `order.failed` into the outbox table
    unsigned shard = 0;   ///< of the relay; not asked when `epoch` is empty
    /// The epoch the relay read its events from: in another one nothing is parked, since what it
    /// read may have been lost and its units sold again. Empty: events that are true in every one.
    std::function<std::optional<ports::Epoch>()> epoch{};
    bool server_time = true;  ///< false: the times given, where a test moves time
};

/// The table of all nodes. An entry is claimed with FOR UPDATE SKIP LOCKED and carries the end of
/// its claim, so a node that dies gives it back by itself.
///
/// A unit is never both given back and delivered. Whoever inserts an order looks at its entry FOR
/// SHARE in the same statement and leaves a discarded one out (order_sink.cpp). Whoever gives an
/// entry up locks it FOR UPDATE first and only then, in a later statement, looks whether the order
/// is stored. The two locks exclude each other until the end of the transaction, so one of them is
/// first: the insert, then `discard` finds the order and refuses; or the discard, then the insert
/// waits, reads the row anew and leaves the order out. Neither asks whose claim it is, so a claim
/// that ended while its node stood still breaks nothing.
///
/// Of the times a caller gives only what lies between them counts: claims, due times and the ages
/// of entries are by the server's clock, so that a node whose own is wrong takes nothing too early.
///
/// Errors   as the port says. A call whose outcome is unknown gives unavailable, and each may be
///          repeated
/// Thread   one at a time per object
class DeadLetters final : public ports::DeadLetters {
public:
    explicit DeadLetters(DeadLettersOptions options)
        : options_(std::move(options)), connection_(options_.connection) {}

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

private:
    using Decision = Result<ports::DeadLetter>;

    /// What the statements take for now; nothing: the server's own time.
    [[nodiscard]] std::optional<domain::WallTime> given(domain::WallTime now) const {
        return options_.server_time ? std::nullopt : std::optional(now);
    }

    /// Runs `sql`, which changes one entry and gives it back; no row: why not.
    [[nodiscard]] Result<ports::DeadLetter> change(
        ports::DeadLetterId id, std::string_view sql, std::initializer_list<Param> params
    );
    [[nodiscard]] ports::DeadLetterError why_not(ports::DeadLetterId id);
    [[nodiscard]] postgres::Result<Decision> decide_discard(
        ports::DeadLetterId id, std::string_view reason, std::string_view who, domain::WallTime now
    );
    [[nodiscard]] postgres::Result<void> note_discarded(
        const ports::DeadLetter& letter,
        std::string_view reason,
        std::string_view who,
        domain::WallTime now
    );
    [[nodiscard]] postgres::Result<std::optional<ports::RedriveTask>> move_on(
        std::size_t max, domain::WallTime now
    );

    DeadLettersOptions options_;
    Connection connection_;
    std::map<ports::DeadLetterId, domain::WallTime> claims_;  // ours, and until when
};

}  // namespace firstcome::postgres
