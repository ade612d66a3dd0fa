// src/adapters/memory/dead_letters.cpp - the reference table of dead letters: the rules alone
#include "adapters/memory/dead_letters.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <ranges>

namespace firstcome::memory {

using domain::WallTime;
using ports::DeadLetter;
using ports::DeadLetterError;
using ports::DeadLetterFilter;
using ports::DeadLetterId;
using ports::DeadLetterStatus;
using ports::RedriveTask;

namespace {

constexpr std::size_t tasks_listed_max = 100;

bool is_open(const DeadLetter& letter) {
    return letter.status == DeadLetterStatus::retrying || letter.status == DeadLetterStatus::dead;
}

bool matches(const DeadLetter& letter, const DeadLetterFilter& filter) {
    if (filter.status && letter.status != *filter.status) return false;
    if (filter.cause && letter.cause != *filter.cause) return false;
    if (filter.item && letter.event.order.item != *filter.item) return false;
    return !filter.consumer || letter.consumer == *filter.consumer;
}

void make_due(DeadLetter& letter, WallTime now) {
    letter.status = DeadLetterStatus::retrying;
    letter.attempts = 0;
    letter.next_attempt = now;
}

}  // namespace

std::optional<DeadLetterError> DeadLetters::fault() {
    if (fail_with_) return fail_with_;
    return std::exchange(fail_next_, std::nullopt);
}

DeadLetters::Result<void> DeadLetters::park(
    const domain::Event& event,
    std::string_view consumer,
    const ports::DeliveryFailure& failure,
    WallTime now,
    WallTime next_attempt
) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    const DeadLetterId id = static_cast<DeadLetterId>(table_->entries.size()) + 1;
    if (!table_->by_event.try_emplace({std::string(consumer), event.id}, id).second) return {};
    DeadLetter letter{
        .id = id,
        .consumer = std::string(consumer),
        .event = event,
        .cause = failure.cause,
        .last_error = failure.error,
        .attempts = is_transient(failure.cause) ? 0U : 1U,
        .first_failure = now,
        .last_failure = now,
        .next_attempt = next_attempt,
    };
    letter.event.position.clear();
    table_->entries.emplace(id, Entry{.letter = std::move(letter), .claim_until = std::nullopt});
    return {};
}

DeadLetters::Result<std::vector<DeadLetter>> DeadLetters::claim_due(
    std::string_view consumer, WallTime now, WallTime claim_until, std::size_t max
) {
    FC_ASSERT(claim_until > now);
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    std::vector<Entry*> due;
    for (auto& [id, entry] : table_->entries) {
        const DeadLetter& letter = entry.letter;
        if (letter.status != DeadLetterStatus::retrying || letter.consumer != consumer) continue;
        if (*letter.next_attempt > now || (entry.claim_until && *entry.claim_until > now)) continue;
        due.push_back(&entry);
    }
    std::ranges::stable_sort(due, {}, [](const Entry* entry) {
        return entry->letter.next_attempt;
    });
    std::vector<DeadLetter> claimed;
    for (Entry* entry : due | std::views::take(max)) {
        entry->claim_until = claim_until;
        claims_[entry->letter.id] = claim_until;
        claimed.push_back(entry->letter);
    }
    return claimed;
}

DeadLetters::Result<void> DeadLetters::resolve(DeadLetterId id, WallTime now) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    const auto found = table_->entries.find(id);
    if (found == table_->entries.end()) return std::unexpected(DeadLetterError::not_found);
    DeadLetter& letter = found->second.letter;
    if (letter.status == DeadLetterStatus::discarded) {
        return std::unexpected(DeadLetterError::in_the_way);
    }
    letter.status = DeadLetterStatus::resolved;
    letter.next_attempt.reset();
    found->second.claim_until.reset();
    if (!found->second.settled_at) found->second.settled_at = now;
    claims_.erase(id);
    return {};
}

DeadLetters::Result<void> DeadLetters::failed_again(
    DeadLetterId id,
    const ports::DeliveryFailure& failure,
    bool counts,
    WallTime now,
    std::optional<WallTime> next_attempt
) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    const auto found = table_->entries.find(id);
    if (found == table_->entries.end()) return std::unexpected(DeadLetterError::not_found);
    Entry& entry = found->second;
    const auto claim = claims_.find(id);
    const bool ours = claim != claims_.end() && entry.claim_until == claim->second;
    if (claim != claims_.end()) claims_.erase(claim);
    if (!ours) return std::unexpected(DeadLetterError::in_the_way);
    entry.claim_until.reset();
    entry.letter.cause = failure.cause;
    entry.letter.last_error = failure.error;
    entry.letter.attempts += counts ? 1 : 0;
    entry.letter.last_failure = now;
    entry.letter.next_attempt = next_attempt;
    if (!next_attempt) entry.letter.status = DeadLetterStatus::dead;
    return {};
}

DeadLetters::Result<std::optional<DeadLetter>> DeadLetters::find(DeadLetterId id) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    const auto found = table_->entries.find(id);
    if (found == table_->entries.end()) return std::nullopt;
    return found->second.letter;
}

DeadLetters::Result<ports::DeadLetterPage> DeadLetters::list(
    const DeadLetterFilter& filter, std::size_t limit, std::optional<DeadLetterId> below
) {
    FC_ASSERT(limit > 0);
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    ports::DeadLetterPage page;
    for (const auto& [id, entry] : table_->entries | std::views::reverse) {
        if (!matches(entry.letter, filter)) continue;
        ++page.total;
        if (below && id >= *below) continue;
        if (page.entries.size() == limit) {
            page.next = page.entries.back().id;
            continue;
        }
        page.entries.push_back(entry.letter);
    }
    return page;
}

DeadLetters::Result<ports::DeadLetterTotals> DeadLetters::totals() {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    ports::DeadLetterTotals totals;
    for (const auto& [id, entry] : table_->entries) {
        const DeadLetter& letter = entry.letter;
        const bool undone = letter.status == DeadLetterStatus::discarded && !entry.compensated;
        if (letter.consumer == ports::orders_consumer && (is_open(letter) || undone)) {
            totals.units[letter.event.order.item] += letter.event.order.quantity;
        }
        if (!is_open(letter)) continue;
        ++(letter.status == DeadLetterStatus::dead ? totals.dead : totals.retrying);
        ++totals.by_cause[letter.cause];
        if (!totals.oldest || letter.first_failure < *totals.oldest) {
            totals.oldest = letter.first_failure;
        }
    }
    return totals;
}

DeadLetters::Result<DeadLetters::Entry*> DeadLetters::free_entry(DeadLetterId id, WallTime now) {
    const auto found = table_->entries.find(id);
    if (found == table_->entries.end()) return std::unexpected(DeadLetterError::not_found);
    Entry& entry = found->second;
    if (!is_open(entry.letter) || (entry.claim_until && *entry.claim_until > now)) {
        return std::unexpected(DeadLetterError::in_the_way);
    }
    return &entry;
}

DeadLetters::Result<DeadLetter> DeadLetters::retry(DeadLetterId id, WallTime now) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    auto entry = free_entry(id, now);
    if (!entry) return std::unexpected(entry.error());
    make_due((*entry)->letter, now);
    (*entry)->claim_until.reset();
    return (*entry)->letter;
}

DeadLetters::Result<DeadLetter> DeadLetters::discard(
    DeadLetterId id, std::string_view reason, std::string_view who, WallTime now
) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    auto entry = free_entry(id, now);
    if (!entry) return std::unexpected(entry.error());
    DeadLetter& letter = (*entry)->letter;
    letter.status = DeadLetterStatus::discarded;
    letter.next_attempt.reset();
    (*entry)->claim_until.reset();
    (*entry)->settled_at = now;
    table_->audits.push_back(std::string(who) + ": " + std::string(reason));
    return letter;
}

DeadLetters::Result<std::vector<DeadLetter>> DeadLetters::undone(std::size_t max) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    std::vector<DeadLetter> undone;
    for (const auto& [id, entry] : table_->entries) {
        if (undone.size() == max) break;
        if (entry.letter.status != DeadLetterStatus::discarded || entry.compensated) continue;
        undone.push_back(entry.letter);
    }
    return undone;
}

DeadLetters::Result<void> DeadLetters::compensated(DeadLetterId id) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    const auto found = table_->entries.find(id);
    if (found == table_->entries.end()) return std::unexpected(DeadLetterError::not_found);
    if (found->second.letter.status != DeadLetterStatus::discarded) {
        return std::unexpected(DeadLetterError::in_the_way);
    }
    found->second.compensated = true;
    return {};
}

DeadLetters::Result<std::size_t> DeadLetters::forget_settled(WallTime before, std::size_t max) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    std::vector<std::pair<WallTime, DeadLetterId>> settled;
    for (const auto& [id, entry] : table_->entries) {
        const bool given_up = entry.compensated && entry.letter.consumer != ports::orders_consumer;
        const bool may_go = entry.letter.status == DeadLetterStatus::resolved || given_up;
        if (may_go && entry.settled_at < before) settled.emplace_back(*entry.settled_at, id);
    }
    std::ranges::sort(settled);
    settled.resize(std::min(settled.size(), max));
    for (const auto& [at, id] : settled) {
        const DeadLetter& letter = table_->entries.at(id).letter;
        table_->by_event.erase({letter.consumer, letter.event.id});
        table_->entries.erase(id);
    }
    return settled.size();
}

DeadLetters::Result<RedriveTask> DeadLetters::start_redrive(
    const DeadLetterFilter& filter, unsigned per_second, WallTime now
) {
    FC_ASSERT(per_second > 0);
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    for (const auto& [id, task] : table_->tasks) {
        if (task.task.status == "running") return std::unexpected(DeadLetterError::in_the_way);
    }
    RedriveTask task{
        .id = static_cast<std::int64_t>(table_->tasks.size()) + 1,
        .filter = filter,
        .per_second = per_second,
        .status = "running",
        .started_at = now,
        .ended_at = std::nullopt,
    };
    for (const auto& [id, entry] : table_->entries) {
        const bool dead = entry.letter.status == DeadLetterStatus::dead;
        if (dead && matches(entry.letter, filter)) ++task.total;
    }
    table_->tasks.emplace(task.id, Task{.task = task});
    return task;
}

DeadLetters::Result<std::optional<RedriveTask>> DeadLetters::continue_redrive(
    std::size_t max, WallTime now
) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    const auto running = std::ranges::find_if(table_->tasks, [](const auto& pair) {
        return pair.second.task.status == "running";
    });
    if (running == table_->tasks.end()) return std::nullopt;
    Task& task = running->second;
    std::uint64_t left = std::min<std::uint64_t>(max, allowance(task.task, now));
    for (auto& [id, entry] : table_->entries) {
        DeadLetter& letter = entry.letter;
        if (id <= task.last_entry || letter.status != DeadLetterStatus::dead) continue;
        if (letter.first_failure > task.task.started_at) continue;
        if (!matches(letter, task.task.filter)) continue;
        if (left == 0) return task.task;
        make_due(letter, now);
        task.last_entry = id;
        ++task.task.moved;
        --left;
    }
    task.task.status = "done";
    task.task.ended_at = now;
    return task.task;
}

DeadLetters::Result<RedriveTask> DeadLetters::cancel_redrive(std::int64_t id, WallTime now) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    const auto found = table_->tasks.find(id);
    if (found == table_->tasks.end()) return std::unexpected(DeadLetterError::not_found);
    RedriveTask& task = found->second.task;
    if (task.status != "running") return std::unexpected(DeadLetterError::in_the_way);
    task.status = "cancelled";
    task.ended_at = now;
    return task;
}

DeadLetters::Result<RedriveTask> DeadLetters::redrive(std::int64_t id) {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    const auto found = table_->tasks.find(id);
    if (found == table_->tasks.end()) return std::unexpected(DeadLetterError::not_found);
    return found->second.task;
}

DeadLetters::Result<std::vector<RedriveTask>> DeadLetters::redrives() {
    const std::lock_guard lock{table_->mutex};
    if (const auto error = fault()) return std::unexpected(*error);
    std::vector<RedriveTask> tasks;
    for (const auto& [id, task] : table_->tasks | std::views::reverse) {
        if (tasks.size() == tasks_listed_max) break;
        tasks.push_back(task.task);
    }
    return tasks;
}

std::vector<std::string> DeadLetters::audits() const {
    const std::lock_guard lock{table_->mutex};
    return table_->audits;
}

}  // namespace firstcome::memory
