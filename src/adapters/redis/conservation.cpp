// src/adapters/redis/conservation.cpp - does Redis sell what the record says there is?
#include "adapters/redis/conservation.hpp"

#include "adapters/redis/sale_changes.hpp"
#include "adapters/redis/stored_order.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace firstcome::redis {

using domain::StockFigures;
using ports::LedgerError;
using ports::RecordedItem;

namespace {

std::string totals_of(const StockFigures& figures) {
    return fmt::format(
        "initial {} restocked {} opens [{}] closes [{}] limit [{}]",
        figures.initial,
        figures.restocked,
        text_of(figures.window.opens_at),
        text_of(figures.window.closes_at),
        text_of(figures.per_user_limit)
    );
}

/// Calls in a row that must see it before it is repaired. Two may each have fallen into a release,
/// of as many units by chance: a rebuild would keep everybody from buying over nothing.
unsigned looks_to_repair(const Drift& drift) {
    const bool like_a_release = drift.units != 0 && !drift.totals && !drift.lost;
    return like_a_release ? 3 : 2;
}

/// Whether the same is off, whatever was sold between the two: `what` has counts that run with the
/// sale, but for totals.
bool is_same(const Drift& a, const Drift& b) {
    if (a.item != b.item || a.totals != b.totals || a.lost != b.lost) return false;
    return a.totals ? a.what == b.what : a.units == b.units;
}

std::string difference(std::string_view expected, std::string_view found) {
    return fmt::format("expected {}, found {}", expected, found);
}

}  // namespace

Conservation::Conservation(
    const ConservationOptions& options,
    Connection& connection,
    ports::SystemOfRecord& record,
    ports::OrderLedger& ledger,
    Rebuild& rebuild,
    const base::Clock& clock
)
    : options_(options),
      record_(record),
      ledger_(ledger),
      rebuild_(rebuild),
      clock_(clock),
      calls_({}, options.shard, connection, record, clock) {}

// Reply of look.lua: entries waiting, entries, names, fields, moment, released. The record is read
// after it: what it may do meanwhile, failing orders, takes nothing from the sum.
std::expected<Conserved, LedgerError> Conservation::check() {
    Conserved conserved;
    if (auto finished = finish_releases(conserved); !finished) {
        return std::unexpected(finished.error());
    }
    const auto look = calls_.eval(scripts().look, {std::to_string(options_.entries_max)});
    if (!look) return std::unexpected(look.error().error);
    if (look->items.size() != 6) return std::unexpected(LedgerError::unavailable);
    if (look->items[5].integer > options_.released_max) return forget_released(conserved);
    if (look->items[0].integer > static_cast<std::int64_t>(options_.entries_max)) return conserved;
    conserved.compared = true;
    const auto waiting = count_waiting(look->items[1]);
    if (!waiting) return std::unexpected(waiting.error());
    const auto items = record_.items(options_.shard);
    if (!items) return std::unexpected(ledger_error(items.error()));

    const auto& names = look->items[2].items;
    for (const RecordedItem& recorded : *items) {
        const auto name = std::ranges::find(names, recorded.figures.item.text(), &Reply::text);
        const auto* const fields =
            name == names.end()
                ? nullptr
                : &look->items[3].items.at(static_cast<std::size_t>(name - names.begin()));
        const auto taken = waiting->find(recorded.figures.item);
        const Taken none;
        auto drift = compare(recorded, taken == waiting->end() ? none : taken->second, fields);
        if (drift) conserved.drifts.push_back(std::move(*drift));
    }
    confirm(conserved.drifts);
    repair(conserved.drifts);
    last_ = conserved.drifts;
    std::erase_if(last_, &Drift::repaired);
    return conserved;
}

// A new life begins with none, and is the only way to be sure that nobody still needs one.
std::expected<Conserved, LedgerError> Conservation::forget_released(Conserved conserved) {
    log::info(
        "many orders were given back: the shard's Redis is rebuilt to forget them",
        {{"shard", options_.shard}}
    );
    if (!rebuild_.run()) return std::unexpected(LedgerError::rebuilding);
    return conserved;
}

// Whatever keeps units from going back now, the comparison comes all the same: it is what mends the
// item that refuses them.
std::expected<void, LedgerError> Conservation::finish_releases(Conserved& conserved) {
    for (const bool again : {false, true}) {
        const auto life = calls_.life();
        if (!life) return std::unexpected(life.error());
        const auto open = record_.not_given_back(options_.shard, options_.releases_a_check);
        if (!open) return std::unexpected(ledger_error(open.error()));
        // Rebuilt since we looked last: the record is asked anew, in the life there is now.
        if (give_back_all(*open, *life, conserved) || again) break;
    }
    return {};
}

// False: the shard's life has ended. An order whose item is damaged holds up no other one; any
// other error is the server's or the record's, and would be the same for the next.
bool Conservation::give_back_all(
    std::span<const domain::Order> orders, const Life& life, Conserved& conserved
) {
    conserved.refused = 0;
    std::string first;
    bool ended = false;
    for (const domain::Order& order : orders) {
        const auto back = give_back(calls_, record_, order, life);
        if (back) {
            ++conserved.given_back;
            continue;
        }
        const CallFailure& failure = back.error();
        if (code_of(failure.text) != "CORRUPT") {
            ended = failure.error == LedgerError::rebuilding;
            break;
        }
        if (conserved.refused++ > 0) continue;
        first = fmt::format(
            "the units of order {} cannot be given back yet: {}", order.id.text(), failure.text
        );
    }
    if (first.empty()) {
        refused_.clear();
    } else if (refused_.set(first)) {
        log::error(first, {{"shard", options_.shard}, {"orders", conserved.refused}});
    }
    return !ended;
}

std::expected<Conservation::TakenByItem, LedgerError> Conservation::count_waiting(
    const Reply& entries
) {
    std::vector<domain::Event> events;
    std::vector<domain::OrderId> ids;
    for (const Reply& each : entries.items) {
        const auto entry = read_entry(bytes_of_entry(each));
        if (!entry) return std::unexpected(LedgerError::unavailable);
        for (const domain::Event& event : entry->events) {
            events.push_back(event);
            ids.push_back(event.order.id);
        }
    }
    const auto stored = record_.stored(ids);
    if (!stored) return std::unexpected(ledger_error(stored.error()));
    TakenByItem waiting;
    for (const domain::Event& event : events) {
        Taken& taken = waiting[event.order.item];
        taken.sequence = std::max(taken.sequence, event.order.sequence);
        if (!stored->contains(event.order.id)) taken.units += event.order.quantity;
    }
    return waiting;
}

std::optional<Drift> Conservation::compare(
    const RecordedItem& recorded, const Taken& waiting, const Reply* fields
) const {
    const StockFigures& truth = recorded.figures;
    const domain::Units taken = truth.sold + truth.compensating + waiting.units;
    const domain::Sequence sequence = std::max(truth.orders, waiting.sequence);
    const std::string expected = fmt::format("taken {} orders {}", taken, sequence);
    const bool unknown = fields == nullptr || is_unknown(*fields);
    if (unknown) {
        return Drift{
            .item = truth.item,
            .units = taken - truth.total(),
            .totals = sequence == 0,
            .lost = true,
            .what = difference(expected, "nothing")};
    }
    const auto live = read_item(truth.item, *fields, clock_.wall());
    if (!live) {
        return Drift{.item = truth.item, .lost = true, .what = difference(expected, "damage")};
    }
    const StockFigures& found = live->figures;
    const domain::Units units = found.remaining - (truth.total() - taken);
    if (totals_of(found) != totals_of(truth)) {
        return Drift{
            .item = truth.item,
            .units = units,
            .totals = true,
            .unfit = std::max(taken, found.sold) > truth.total(),
            .what = difference(totals_of(truth), totals_of(found))};
    }
    if (found.remaining == 0 && taken > truth.total() && found.orders >= sequence) {
        return Drift{
            .item = truth.item,
            .units = units,
            .oversold = true,
            .what = difference(expected, fmt::format("a total of {}", truth.total()))};
    }
    if (units == 0 && found.orders >= sequence) return std::nullopt;
    return Drift{
        .item = truth.item,
        .units = units,
        .what = difference(expected, fmt::format("taken {} orders {}", found.sold, found.orders))};
}

bool Conservation::put_totals(const Drift& drift) {
    domain::StockChange nothing;
    nothing.item = drift.item;
    nothing.operation = domain::StockOperation::add;
    nothing.reason = "repair: " + drift.what;
    nothing.who = "conservation";
    return ledger_.change_stock(nothing).has_value();
}

// The log has it too, should the record not take it now.
void Conservation::note(const Drift& drift) {
    const auto noted = record_.note_repair(
        drift.item, fmt::format("rebuilt: units {}, {}", drift.units, drift.what)
    );
    if (!noted) log::warn("a repair is not in the audit log", {{"item", drift.item.text()}});
}

void Conservation::confirm(std::vector<Drift>& drifts) const {
    for (Drift& drift : drifts) {
        const auto before = std::ranges::find(last_, drift.item, &Drift::item);
        if (before == last_.end()) continue;
        if (is_same(*before, drift)) drift.looks = before->looks + 1;
        const bool same_units = drift.units != 0 && before->units == drift.units;
        drift.confirmed = drift.looks > 1 || same_units;
    }
}

// Between two calls what was under way has ended, if nothing else began. A stock change that fails
// (a lock, an outage) is tried again at the next: a rebuild would keep everybody from buying. It is
// for totals below what a sale took before it could be lowered: nothing else ends that.
void Conservation::repair(std::vector<Drift>& drifts) {
    bool rebuilt = false;
    for (Drift& drift : drifts) {
        if (drift.looks < looks_to_repair(drift) || drift.oversold) continue;
        if (drift.totals && !drift.unfit) {
            drift.repaired = put_totals(drift);
        } else {
            rebuilt = rebuilt || rebuild_.run().has_value();
            drift.repaired = rebuilt;
            if (rebuilt) note(drift);
        }
        log::warn(
            "Redis and the record differed",
            {{"shard", options_.shard},
             {"item", drift.item.text()},
             {"units", drift.units},
             {"difference", drift.what},
             {"repaired", drift.repaired}}
        );
    }
}

}  // namespace firstcome::redis
