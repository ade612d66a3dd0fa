// src/telemetry/alert_board.cpp - from findings to alerts: one per crossing, begin and end
#include "telemetry/alert_board.hpp"

#include "base/assert.hpp"

namespace firstcome::telemetry {

// Rates and stock have room between begin and end in their rules; what may come and go from one
// look to the next has it here, in time.
AlertPatience patience(ports::AlertKind kind) {
    using ports::AlertKind;
    using std::chrono::seconds;
    switch (kind) {
        case AlertKind::stock_low: return {};
        case AlertKind::stock_sold_out: return {.before = {}, .after = seconds{5}};
        case AlertKind::order_error_rate_high: return {};
        case AlertKind::order_latency_high: return {.before = seconds{5}, .after = seconds{30}};
        case AlertKind::dlq_growing: return {};
        case AlertKind::dlq_stale: return {};
        case AlertKind::outbox_stalled: return {};
        case AlertKind::breaker_open: return {.before = {}, .after = seconds{10}};
        case AlertKind::invariant_violated: return {};
    }
    FC_UNREACHABLE();
}

std::vector<ports::Alert> AlertBoard::look(
    std::span<const Finding> findings, base::MonotonicTime now, base::WallTime wall
) {
    for (const Finding& finding : findings) take(finding, now, wall);
    std::vector<ports::Alert> over;
    for (auto at = entries_.begin(); at != entries_.end();) {
        Entry& entry = at->second;
        const bool found = entry.found_last == now;
        const bool waits = now - entry.found_last < patience(at->first.first).after;
        if (found || (entry.firing && waits)) {
            ++at;
            continue;
        }
        if (entry.firing) {
            entry.alert.ends_at = wall;
            over.push_back(std::move(entry.alert));
        }
        at = entries_.erase(at);
    }
    return over;
}

void AlertBoard::take(const Finding& finding, base::MonotonicTime now, base::WallTime wall) {
    auto found = entries_.find({finding.kind, finding.subject});
    const bool known = found != entries_.end();
    if (finding.only_holds) {
        if (known && found->second.firing) found->second.found_last = now;
        return;
    }
    if (!known) {
        if (entries_.size() >= alerts_max) {
            ++suppressed_;
            return;
        }
        Entry entry;
        entry.alert.kind = finding.kind;
        entry.alert.subject = finding.subject;
        if (is_of_node(finding.kind)) entry.alert.instance = instance_;
        entry.found_first = now;
        found = entries_.emplace(std::pair{finding.kind, finding.subject}, std::move(entry)).first;
    }
    Entry& entry = found->second;
    entry.found_last = now;
    entry.alert.summary = finding.summary;
    if (entry.firing || now - entry.found_first < patience(finding.kind).before) return;
    entry.firing = true;
    entry.alert.starts_at = wall;
}

std::vector<ports::Alert> AlertBoard::firing() const {
    std::vector<ports::Alert> all;
    for (const auto& [key, entry] : entries_) {
        if (entry.firing) all.push_back(entry.alert);
    }
    return all;
}

}  // namespace firstcome::telemetry
