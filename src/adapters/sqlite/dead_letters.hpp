// src/adapters/sqlite/dead_letters.hpp - dead letters in a file of their own
#pragma once

#include "adapters/sqlite/database.hpp"
#include "ports/dead_letters.hpp"

#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::sqlite {

/// The table of the embedded mode. Written seldom, so each change is one synced transaction of a
/// rollback journal: nothing is to be done at a clean end, and the lanes' files are not touched.
///
/// Errors   as the port says; a failed sync calls `fatal`, since what the disk holds is unknown
/// Thread   as the port says; several objects may be open on one directory
/// Source   SQLite "synchronous=EXTRA"
class DeadLetters final : public ports::DeadLetters {
public:
    /// Makes the file where there is none. `fatal` must not return.
    ///
    /// Errors   a sentence for the operator: what is wrong, where, and what to do
    [[nodiscard]] static std::expected<std::unique_ptr<DeadLetters>, std::string> open(
        const std::filesystem::path& data_dir, std::function<void(std::string_view)> fatal
    );

    /// Not `.db`, as the lanes' files are: it has no log that must be there at a start.
    [[nodiscard]] static std::string file_in(const std::filesystem::path& data_dir);

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
    using Done = std::expected<void, SqliteError>;
    using Letters = std::expected<std::vector<ports::DeadLetter>, SqliteError>;

    DeadLetters(Database database, std::function<void(std::string_view)> fatal)
        : database_(std::move(database)), fatal_(std::move(fatal)) {}

    [[nodiscard]] Done in_transaction(const std::function<Done()>& work);
    template <typename... Values>
    [[nodiscard]] Letters read(std::string_view sql, const Values&... values);
    /// Runs `sql`, which changes one entry and gives it back; no row: why not.
    template <typename... Values>
    [[nodiscard]] Result<ports::DeadLetter> change(
        ports::DeadLetterId id, std::string_view sql, const Values&... values
    );
    [[nodiscard]] ports::DeadLetterError why_not(ports::DeadLetterId id);
    [[nodiscard]] Done move_on(
        std::optional<ports::RedriveTask>& task, std::size_t max, domain::WallTime now
    );
    [[nodiscard]] ports::DeadLetterError report(
        const SqliteError& error, std::string_view attempted
    );

    Database database_;
    const std::function<void(std::string_view)> fatal_;       // must not return
    std::map<ports::DeadLetterId, domain::WallTime> claims_;  // ours, and until when
};

}  // namespace firstcome::sqlite
