// src/adapters/postgres/dead_letters.cpp - dead letters beside the orders they are kept out of
#include "adapters/postgres/dead_letters.hpp"

#include "adapters/postgres/dead_letter_rows.hpp"
#include "adapters/postgres/record.hpp"
#include "adapters/postgres/storable.hpp"
#include "base/assert.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace firstcome::postgres {

using domain::WallTime;
using ports::DeadLetter;
using ports::DeadLetterError;
using ports::DeadLetterFilter;
using ports::DeadLetterId;

namespace {

constexpr std::size_t error_size_max = 1'000;  // bytes; so says ports::DeliveryFailure

// Open, and tried by nobody at $1.
#define FC_FREE_AT_1                                                             \
    "status IN ('retrying', 'dead') AND (claim_until IS NULL OR claim_until <= " \
    "coalesce($1" FC_OR_NOW ")"

// In two statements' worth of one: the epoch's row is locked, so that it cannot move on before the
// entry is there; none: it has moved on.
constexpr std::string_view epoch_part = R"(
WITH epoch AS (
    SELECT FROM epochs WHERE shard = $23 AND number = $24 AND run_id = $25 FOR SHARE
), parked AS ()";

constexpr std::string_view any_epoch_part = R"(
WITH epoch AS (SELECT), parked AS ()";

constexpr std::string_view insert_entry = R"(
INSERT INTO failed_order_events (consumer, event_id, event_type, occurred_at, order_id, shard,
    user_id, item_id, quantity, sequence, accepted_at, order_status, durability, key, trace,
    remaining, total, cause, last_error, attempts, first_failure, last_failure, next_attempt,
    status, payload)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    now.at, now.at, now.at + $22 * interval '1 millisecond', 'retrying',
    jsonb_build_object('orderId', $5, 'userId', $7, 'itemId', $8, 'quantity', $9, 'sequence', $10,
    'acceptedAt', $11, 'durability', $13)
FROM epoch, (SELECT coalesce($21)" FC_OR_NOW R"( AS at) now
ON CONFLICT (consumer, event_id) DO NOTHING
)
SELECT count(*) FROM epoch)";

// The units of an order that is stored are sold, whether or not its entry is settled yet.
constexpr std::string_view select_totals = R"(
SELECT status, cause, item_id, count(*), min(first_failure), coalesce(sum(quantity) FILTER (
    WHERE consumer = 'orders' AND NOT EXISTS (SELECT FROM orders o WHERE o.order_id = f.order_id)
), 0)::bigint
FROM failed_order_events f
WHERE status IN ('retrying', 'dead') OR (status = 'discarded' AND NOT compensated)
GROUP BY 1, 2, 3)";

constexpr std::string_view insert_order_failed = R"(
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, occurred_at, trace)
SELECT $2, 'order', item_id, 'order.failed', jsonb_build_object('orderId', order_id, 'userId',
    user_id, 'itemId', item_id, 'quantity', quantity, 'sequence', sequence, 'status', 'failed',
    'acceptedAt', accepted_at, 'durability', durability), $3, trace
FROM failed_order_events WHERE id = $1 ON CONFLICT (id) DO NOTHING)";

}  // namespace

DeadLetters::Result<DeadLetter> DeadLetters::change(
    DeadLetterId id, std::string_view sql, std::initializer_list<Param> params
) {
    auto changed = dead_letters_of(connection_.write(sql, params));
    if (!changed) return std::unexpected(report(changed.error(), "change an entry"));
    if (changed->empty()) return std::unexpected(why_not(id));
    FC_ASSERT(changed->size() == 1);
    return std::move(changed->front());
}

DeadLetterError DeadLetters::why_not(DeadLetterId id) {
    const auto letter = find(id);
    if (!letter) return letter.error();
    return *letter ? DeadLetterError::in_the_way : DeadLetterError::not_found;
}

DeadLetters::Result<void> DeadLetters::park(
    const domain::Event& event,
    std::string_view consumer,
    const ports::DeliveryFailure& failure,
    WallTime now,
    WallTime next_attempt
) {
    const domain::Order& order = event.order;
    std::vector<Param> params{
        consumer,
        event.id,
        name(event.type),
        event.occurred_at,
        order.id,
        order.id.shard(),
        order.user,
        order.item,
        order.quantity,
        order.sequence,
        order.accepted_at,
        name(order.status),
        name(order.durability),
        event.key,
        event.trace,
        event.remaining,
        event.total,
        name(failure.cause),
        storable(failure.error, error_size_max),
        is_transient(failure.cause) ? 0 : 1,
        given(now),
        std::chrono::milliseconds{next_attempt - now}.count()};
    std::string sql{options_.epoch ? epoch_part : any_epoch_part};
    sql += insert_entry;
    if (options_.epoch) {
        const auto epoch = options_.epoch();
        if (!epoch) return std::unexpected(DeadLetterError::unavailable);
        params.emplace_back(options_.shard);
        params.emplace_back(epoch->number);
        params.emplace_back(epoch->run_id);
    }
    const auto parked = connection_.write(sql, params);
    if (!parked) return std::unexpected(report(parked.error(), "park an event"));
    if (parked->integer(0, 0) == 0) return std::unexpected(DeadLetterError::unavailable);
    return {};
}

DeadLetters::Result<std::vector<DeadLetter>> DeadLetters::claim_due(
    std::string_view consumer, WallTime now, WallTime claim_until, std::size_t max
) {
    FC_ASSERT(claim_until > now);
    auto rows = connection_.write(
        "WITH due AS MATERIALIZED (SELECT id FROM failed_order_events WHERE status = 'retrying' AND"
        " consumer = $3 AND next_attempt <= coalesce($1" FC_OR_NOW " AND " FC_FREE_AT_1
        " ORDER BY next_attempt, id LIMIT $4 FOR UPDATE SKIP LOCKED) UPDATE failed_order_events SET"
        " claim_until = coalesce($1" FC_OR_NOW
        " + $2 * interval '1 millisecond' WHERE id IN (SELECT due.id FROM due) "
        "RETURNING " FC_DEAD_LETTER_COLUMNS ", claim_until",
        {given(now), std::chrono::milliseconds{claim_until - now}.count(), consumer, max}
    );
    std::optional<WallTime> until;  // of all of them
    if (rows && !rows->empty()) until = rows->time(0, 24);
    auto claimed = dead_letters_of(std::move(rows));
    if (!claimed) return std::unexpected(report(claimed.error(), "claim what is due"));
    std::ranges::sort(*claimed, {}, [](const DeadLetter& letter) {
        return std::tuple(letter.next_attempt, letter.id);
    });
    for (const DeadLetter& letter : *claimed) claims_[letter.id] = *until;
    return std::move(*claimed);
}

DeadLetters::Result<void> DeadLetters::resolve(DeadLetterId id, WallTime now) {
    claims_.erase(id);
    const auto resolved = change(
        id,
        "UPDATE failed_order_events SET status = 'resolved', next_attempt = NULL, claim_until ="
        " NULL, settled_at = coalesce(settled_at, coalesce($1" FC_OR_NOW
        ") WHERE id = $2 AND status <> 'discarded' RETURNING " FC_DEAD_LETTER_COLUMNS,
        {given(now), id}
    );
    if (!resolved) return std::unexpected(resolved.error());
    return {};
}

DeadLetters::Result<void> DeadLetters::failed_again(
    DeadLetterId id,
    const ports::DeliveryFailure& failure,
    bool counts,
    WallTime now,
    std::optional<WallTime> next_attempt
) {
    const auto claim = claims_.find(id);
    if (claim == claims_.end()) return std::unexpected(why_not(id));
    const WallTime claimed_until = claim->second;
    std::optional<std::int64_t> rest_ms;
    if (next_attempt) rest_ms = std::chrono::milliseconds{*next_attempt - now}.count();
    const auto failed = change(
        id,
        "UPDATE failed_order_events SET claim_until = NULL, cause = $2, last_error = $3, attempts ="
        " attempts + $4, last_failure = coalesce($1" FC_OR_NOW
        ", next_attempt = coalesce($1" FC_OR_NOW
        " + $5 * interval '1 millisecond', status = CASE WHEN $5 IS NULL THEN 'dead' ELSE"
        " 'retrying' END WHERE id = $6 AND claim_until = $7"
        " RETURNING " FC_DEAD_LETTER_COLUMNS,
        {given(now),
         name(failure.cause),
         storable(failure.error, error_size_max),
         counts ? 1 : 0,
         rest_ms,
         id,
         claimed_until}
    );
    if (failed || failed.error() != DeadLetterError::unavailable) claims_.erase(id);
    if (!failed) return std::unexpected(failed.error());
    return {};
}

DeadLetters::Result<std::optional<DeadLetter>> DeadLetters::find(DeadLetterId id) {
    auto found = dead_letters_of(connection_.read(
        "SELECT " FC_DEAD_LETTER_COLUMNS " FROM failed_order_events WHERE id = $1", {id}
    ));
    if (!found) return std::unexpected(report(found.error(), "read an entry"));
    if (found->empty()) return std::nullopt;
    return std::move(found->front());
}

DeadLetters::Result<ports::DeadLetterPage> DeadLetters::list(
    const DeadLetterFilter& filter, std::size_t limit, std::optional<DeadLetterId> below
) {
    FC_ASSERT(limit > 0);
    const FilterTexts texts{filter};
    auto entries = dead_letters_of(connection_.read(
        "SELECT " FC_DEAD_LETTER_COLUMNS " FROM failed_order_events WHERE " FC_FILTER
        " AND ($5 IS NULL OR id < $5) ORDER BY id DESC LIMIT $6",
        {texts.status, texts.cause, texts.item, texts.consumer, below, limit + 1}
    ));
    if (!entries) return std::unexpected(report(entries.error(), "list"));
    auto count = connection_.read(
        "SELECT count(*) FROM failed_order_events WHERE " FC_FILTER,
        {texts.status, texts.cause, texts.item, texts.consumer}
    );
    if (!count) return std::unexpected(report(count.error(), "count what is listed"));
    ports::DeadLetterPage page{
        .entries = std::move(*entries),
        .next = std::nullopt,
        .total = static_cast<std::uint64_t>(count->integer(0, 0))};
    if (page.entries.size() <= limit) return page;
    page.entries.pop_back();
    page.next = page.entries.back().id;
    return page;
}

DeadLetters::Result<ports::DeadLetterTotals> DeadLetters::totals() {
    const auto rows = connection_.read(select_totals);
    if (!rows) return std::unexpected(report(rows.error(), "count"));
    ports::DeadLetterTotals totals;
    for (std::size_t row = 0; row < rows->size(); ++row) {
        const auto item = domain::ItemId::from(rows->text(row, 2));
        const domain::Units units = rows->integer(row, 5);
        if (item && units > 0) totals.units[*item] += units;
        if (rows->text(row, 0) == "discarded") continue;
        const auto count = static_cast<std::uint64_t>(rows->integer(row, 3));
        (rows->text(row, 0) == "dead" ? totals.dead : totals.retrying) += count;
        if (const auto cause = ports::cause_from(rows->text(row, 1))) {
            totals.by_cause[*cause] += count;
        }
        const WallTime oldest = rows->time(row, 4);
        totals.oldest = std::min(totals.oldest.value_or(oldest), oldest);
    }
    return totals;
}

DeadLetters::Result<DeadLetter> DeadLetters::retry(DeadLetterId id, WallTime now) {
    return change(
        id,
        "UPDATE failed_order_events SET status = 'retrying', attempts = 0, next_attempt ="
        " coalesce($1" FC_OR_NOW ", claim_until = NULL WHERE id = $2 AND " FC_FREE_AT_1
        " RETURNING " FC_DEAD_LETTER_COLUMNS,
        {given(now), id}
    );
}

DeadLetters::Result<DeadLetter> DeadLetters::discard(
    DeadLetterId id, std::string_view reason, std::string_view who, WallTime now
) {
    auto transaction = Transaction::begin(connection_);
    if (!transaction) return std::unexpected(report(transaction.error(), "begin a discard"));
    auto decided = decide_discard(id, reason, who, now);
    if (!decided) return std::unexpected(report(decided.error(), "give an entry up"));
    auto committed = transaction->commit();
    if (!committed) return std::unexpected(report(committed.error(), "commit a discard"));
    return std::move(*decided);
}

// The entry is locked before the order is looked for; why that settles it stands in the header.
postgres::Result<DeadLetters::Decision> DeadLetters::decide_discard(
    DeadLetterId id, std::string_view reason, std::string_view who, WallTime now
) {
    auto found = dead_letters_of(connection_.write(
        "SELECT " FC_DEAD_LETTER_COLUMNS " FROM failed_order_events WHERE id = $1 FOR UPDATE", {id}
    ));
    if (!found) return std::unexpected(found.error());
    if (found->empty()) return Decision(std::unexpected(DeadLetterError::not_found));
    const DeadLetter& entry = found->front();
    if (entry.consumer == ports::orders_consumer) {
        // It was delivered after all, by a node that did not live to say so.
        auto delivered = connection_.write(
            "UPDATE failed_order_events SET status = 'resolved', next_attempt = NULL, claim_until ="
            " NULL, settled_at = coalesce($1" FC_OR_NOW
            " WHERE id = $2 AND status IN ('retrying', 'dead') AND EXISTS (SELECT FROM orders "
            "WHERE order_id = $3)",
            {given(now), id, entry.event.order.id}
        );
        if (!delivered) return std::unexpected(delivered.error());
    }
    auto gone = dead_letters_of(connection_.write(
        "UPDATE failed_order_events SET status = 'discarded', next_attempt = NULL, claim_until ="
        " NULL, settled_at = coalesce($1" FC_OR_NOW
        ", reason = $3, who = $4 WHERE id = $2 AND " FC_FREE_AT_1
        " RETURNING " FC_DEAD_LETTER_COLUMNS,
        {given(now), id, storable(reason), storable(who)}
    ));
    if (!gone) return std::unexpected(gone.error());
    if (gone->empty()) return Decision(std::unexpected(DeadLetterError::in_the_way));
    auto noted = note_discarded(gone->front(), reason, who, now);
    if (!noted) return std::unexpected(noted.error());
    return std::move(gone->front());
}

postgres::Result<void> DeadLetters::note_discarded(
    const DeadLetter& letter, std::string_view reason, std::string_view who, WallTime now
) {
    auto noted = connection_.write(
        "INSERT INTO audit_log (at, who, what, subject, reason) VALUES ($1, $2, 'discard', $3, $4)",
        {now, storable(who), "dead letter " + std::to_string(letter.id), storable(reason)}
    );
    if (!noted) return std::unexpected(noted.error());
    if (!options_.events || letter.consumer != ports::orders_consumer) return {};
    auto told = connection_.write(
        insert_order_failed,
        {letter.id, event_id_of(letter.event.order.id, domain::EventType::order_failed), now}
    );
    if (!told) return std::unexpected(told.error());
    return {};
}

DeadLetters::Result<std::vector<DeadLetter>> DeadLetters::undone(std::size_t max) {
    auto undone = dead_letters_of(connection_.read(
        "SELECT " FC_DEAD_LETTER_COLUMNS
        " FROM failed_order_events WHERE status = 'discarded' AND NOT compensated ORDER BY id"
        " LIMIT $1",
        {max}
    ));
    if (!undone) return std::unexpected(report(undone.error(), "read what is undone"));
    return std::move(*undone);
}

DeadLetters::Result<void> DeadLetters::compensated(DeadLetterId id) {
    const auto noted = change(
        id,
        "UPDATE failed_order_events SET compensated = true WHERE id = $1 AND status = 'discarded'"
        " RETURNING " FC_DEAD_LETTER_COLUMNS,
        {id}
    );
    if (!noted) return std::unexpected(noted.error());
    return {};
}

DeadLetters::Result<std::size_t> DeadLetters::forget_settled(WallTime before, std::size_t max) {
    const auto gone = connection_.write(
        "DELETE FROM failed_order_events WHERE id IN (SELECT id FROM failed_order_events WHERE"
        " settled_at < $1 AND (status = 'resolved' OR (status = 'discarded' AND compensated AND"
        " consumer <> 'orders')) ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        {before, max}
    );
    if (!gone) return std::unexpected(report(gone.error(), "forget what is settled"));
    return static_cast<std::size_t>(gone->changed());
}

}  // namespace firstcome::postgres
