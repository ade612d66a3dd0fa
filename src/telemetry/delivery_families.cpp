// src/telemetry/delivery_families.cpp - outboxes, dead letters and relays as metrics
#include "telemetry/delivery_families.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::telemetry {

namespace {

double number(std::uint64_t count) {
    return static_cast<double>(count);
}

double seconds(std::chrono::milliseconds time) {
    return std::chrono::duration<double>(time).count();
}

Labels labels_of(const ports::WaitingLine& line) {
    return {{"stage", std::string{line.stage}}, {"lane", std::to_string(line.lane)}};
}

void add_outboxes(Families& out, const ports::Backlog& backlog) {
    std::uint64_t pending = 0;
    std::chrono::milliseconds oldest{};
    for (const ports::WaitingLine& line : backlog.waiting) {
        pending += line.depth.pending;
        oldest = std::max(oldest, line.depth.oldest_age);
    }
    begin_gauge(out, "firstcome_outbox_pending", "Events that wait to be delivered, in all.");
    add_value(out, number(pending));
    begin_gauge(
        out,
        "firstcome_outbox_oldest_age_seconds",
        "Age of the oldest event that waits to be delivered; 0 when none does."
    );
    add_value(out, seconds(oldest));
    if (backlog.waiting.empty()) return;
    begin_gauge(
        out,
        "firstcome_outbox_line_pending",
        "Events that wait, by line: orders on their way to PostgreSQL, events to the webhook."
    );
    for (const auto& line : backlog.waiting) {
        add_value(out, number(line.depth.pending), labels_of(line));
    }
    begin_gauge(
        out,
        "firstcome_outbox_line_oldest_age_seconds",
        "Age of the oldest event that waits, by line; 0 when none does."
    );
    for (const auto& line : backlog.waiting) {
        add_value(out, seconds(line.depth.oldest_age), labels_of(line));
    }
}

void add_dead_letters(Families& out, const ports::Backlog& backlog) {
    begin_gauge(
        out, "firstcome_dlq_depth", "Events that were refused and are neither settled nor given up."
    );
    add_value(out, number(backlog.retrying + backlog.dead));
    begin_gauge(
        out,
        "firstcome_dlq_entries",
        "The same by status: retrying is tried again by itself, dead waits for a person."
    );
    add_value(out, number(backlog.retrying), {{"status", "retrying"}});
    add_value(out, number(backlog.dead), {{"status", "dead"}});
    begin_gauge(
        out,
        "firstcome_dlq_oldest_age_seconds",
        "Time since the first failure of the oldest dead letter; 0 when there is none."
    );
    add_value(out, seconds(backlog.oldest_age));
    begin_counter(
        out, "firstcome_dlq_events_total", "What this node did with dead letters, by their cause."
    );
    for (const ports::DeadLetterCount& each : backlog.counted) {
        const std::string action{each.action};
        const std::string cause{name(each.cause)};
        add_value(out, number(each.count), {{"action", action}, {"cause", cause}});
    }
}

/// All relays of one stage as one.
RelayFigures sum_of(std::span<const RelayFigures> relays, std::string_view stage) {
    RelayFigures sum;
    sum.stage = stage;
    for (const RelayFigures& each : relays) {
        if (each.stage != stage) continue;
        sum.batches += each.batches;
        sum.sink_calls += each.sink_calls;
        sum.delivered += each.delivered;
        for (std::size_t at = 0; at < sum.transient.size(); ++at) {
            sum.transient[at] += each.transient[at];
        }
        sum.outbox_faults += each.outbox_faults;
        sum.park_faults += each.park_faults;
        sum.backoff = std::max(sum.backoff, each.backoff);
    }
    return sum;
}

void add_failures(Families& out, const RelayFigures& relay) {
    const auto add = [&](std::uint64_t count, std::string_view reason) {
        const std::string stage{relay.stage};
        add_value(out, number(count), {{"stage", stage}, {"reason", std::string{reason}}});
    };
    for (std::size_t at = 0; at < ports::causes.size(); ++at) {
        if (is_transient(ports::causes[at])) add(relay.transient[at], name(ports::causes[at]));
    }
    add(relay.outbox_faults, "outbox");
    add(relay.park_faults, "park");
}

}  // namespace

void add_backlog_families(Families& out, const ports::Backlog& backlog) {
    add_outboxes(out, backlog);
    add_dead_letters(out, backlog);
}

void add_relay_families(Families& out, std::span<const RelayFigures> relays) {
    std::array<RelayFigures, event_stages.size()> stages;
    for (std::size_t at = 0; at < stages.size(); ++at)
        stages[at] = sum_of(relays, event_stages[at]);
    const auto add_counts = [&](const char* name, const char* help, auto RelayFigures::*count) {
        begin_counter(out, name, help);
        for (const RelayFigures& relay : stages) {
            add_value(out, number(relay.*count), {{"stage", std::string{relay.stage}}});
        }
    };
    add_counts(
        "firstcome_relay_delivered_total",
        "Events this node has delivered, by stage.",
        &RelayFigures::delivered
    );
    add_counts(
        "firstcome_relay_batches_total",
        "Batches of events this node has taken from an outbox.",
        &RelayFigures::batches
    );
    add_counts(
        "firstcome_relay_sink_calls_total",
        "Deliveries this node has tried; more than batches while refused events are looked for.",
        &RelayFigures::sink_calls
    );
    begin_counter(
        out,
        "firstcome_relay_failures_total",
        "Faults that are waited out: of the sink by cause, of reading the outbox, of parking."
    );
    for (const RelayFigures& relay : stages) add_failures(out, relay);
    begin_gauge(
        out,
        "firstcome_relay_backoff_seconds",
        "How long this node's relay rests after its last fault; 0 when all is well."
    );
    for (const RelayFigures& relay : stages) {
        add_value(out, seconds(relay.backoff), {{"stage", std::string{relay.stage}}});
    }
}

}  // namespace firstcome::telemetry
