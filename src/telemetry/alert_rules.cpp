// src/telemetry/alert_rules.cpp - one function a rule
#include "telemetry/alert_rules.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace firstcome::telemetry {

namespace {

using ports::AlertKind;

constexpr std::chrono::seconds drift_patience{5};
constexpr std::chrono::minutes violation_lasts{10};
constexpr double seconds_recent = 10;  // what AlertFigures::recent_per_second looks back on

double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

double milliseconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

std::uint64_t parked_in(const ports::Backlog& backlog) {
    std::uint64_t parked = 0;
    for (const ports::DeadLetterCount& each : backlog.counted) {
        if (each.action == "parked") parked += each.count;
    }
    return parked;
}

}  // namespace

std::vector<Finding> AlertRules::judge(const AlertFigures& figures) {
    Findings out;
    for (const auto& item : figures.items) judge_item(out, item);
    judge_error_rate(out, figures);
    judge_latency(out, figures);
    judge_dead_letters(out, figures);
    judge_outboxes(out, figures);
    judge_breakers(out, figures);
    judge_invariants(out, figures);
    return out;
}

// Stock that moves around the limit, as units come back and are sold again, is one crossing: the
// alert ends only a tenth above the limit, or half the way from there to full where that is less: a
// limit of 91 % or more would else never be left.
void AlertRules::judge_item(Findings& out, const domain::StockFigures& item) const {
    const domain::Units total = item.total();
    if (total <= 0) return;
    const auto percent = static_cast<domain::Units>(limits_.stock_low.percent_for(item.item));
    const domain::Units ends_above = std::min(percent * 11, percent * 10 + (100 - percent) * 5);
    if (item.remaining * 1000 <= ends_above * total) {
        out.push_back(
            {.kind = AlertKind::stock_low,
             .subject = std::string{item.item.text()},
             .summary = fmt::format(
                 "{} of {} units of {} are left: {} % or less",
                 item.remaining,
                 total,
                 item.item.text(),
                 percent
             ),
             .only_holds = item.remaining * 100 > percent * total}
        );
    }
    if (item.remaining > 0) return;
    out.push_back(
        {.kind = AlertKind::stock_sold_out,
         .subject = std::string{item.item.text()},
         .summary = fmt::format("All {} units of {} are gone", total, item.item.text())}
    );
}

void AlertRules::judge_error_rate(Findings& out, const AlertFigures& figures) {
    history_.push_back({.at = figures.at, .orders = figures.orders, .failed = figures.orders_failed}
    );
    while (history_.size() > 1 && history_[1].at <= figures.at - limits_.error_window) {
        history_.pop_front();
    }
    const OrdersAt& then = history_.front();
    const std::uint64_t orders = figures.orders - then.orders;
    const std::uint64_t failed = figures.orders_failed - then.failed;
    if (orders < orders_min || failed * 200 <= limits_.error_percent * orders) return;
    out.push_back(
        {.kind = AlertKind::order_error_rate_high,
         .subject = {},
         .summary = fmt::format(
             "{:.1f} % of {} orders in {:.0f} s failed",
             100.0 * static_cast<double>(failed) / static_cast<double>(orders),
             orders,
             seconds(figures.at - then.at)
         ),
         .only_holds = failed * 100 <= limits_.error_percent * orders}
    );
}

void AlertRules::judge_latency(Findings& out, const AlertFigures& figures) const {
    const double orders = figures.recent_per_second * seconds_recent;
    if (!figures.latency_p99 || std::lround(orders) < std::int64_t{orders_min}) return;
    if (*figures.latency_p99 * 5 <= limits_.latency_p99 * 4) return;
    out.push_back(
        {.kind = AlertKind::order_latency_high,
         .subject = {},
         .summary = fmt::format(
             "One order in a hundred takes {:.0f} ms or more until it is durable",
             milliseconds(*figures.latency_p99)
         ),
         .only_holds = *figures.latency_p99 <= limits_.latency_p99}
    );
}

void AlertRules::judge_dead_letters(Findings& out, const AlertFigures& figures) {
    const std::uint64_t depth = figures.backlog.retrying + figures.backlog.dead;
    const std::uint64_t parked = parked_in(figures.backlog);
    // Not known at once after a start, so that the step from none to some says nothing by itself.
    const bool deeper = letters_seen_ > 0 && depth > letters_seen_;
    if (deeper || parked > parked_seen_) {
        letters_grew_ = figures.at;
    } else if (depth == 0 && letters_seen_ > 0) {
        letters_grew_.reset();
    }
    letters_seen_ = depth;
    parked_seen_ = parked;
    const bool lately = letters_grew_ && figures.at - *letters_grew_ <= limits_.dead_letter_window;
    if (lately && depth > 0) {
        out.push_back(
            {.kind = AlertKind::dlq_growing,
             .subject = {},
             .summary = fmt::format(
                 "{} dead letters, {} of them wait for a person; there were fewer a moment ago",
                 depth,
                 figures.backlog.dead
             )}
        );
    }
    if (depth == 0 || figures.backlog.oldest_age <= limits_.dead_letter_age) return;
    out.push_back(
        {.kind = AlertKind::dlq_stale,
         .subject = {},
         .summary = fmt::format(
             "The oldest of {} dead letters is {:.0f} s old",
             depth,
             seconds(figures.backlog.oldest_age)
         )}
    );
}

void AlertRules::judge_outboxes(Findings& out, const AlertFigures& figures) const {
    for (const ports::WaitingLine& line : figures.backlog.waiting) {
        if (line.depth.pending == 0 || line.depth.oldest_age * 2 <= limits_.outbox_age) continue;
        out.push_back(
            {.kind = AlertKind::outbox_stalled,
             .subject = fmt::format("{}-{}", line.stage, line.lane),
             .summary = fmt::format(
                 "{} events wait in the line {}-{}, the oldest for {:.0f} s",
                 line.depth.pending,
                 line.stage,
                 line.lane,
                 seconds(line.depth.oldest_age)
             ),
             .only_holds = line.depth.oldest_age <= limits_.outbox_age}
        );
    }
}

// A breaker that tries half-open is not well yet: it may open again in a moment.
void AlertRules::judge_breakers(Findings& out, const AlertFigures& figures) {
    for (const ports::BreakerFigures& breaker : figures.breakers) {
        const bool open = breaker.state == "OPEN" || breaker.state == "FORCED_OPEN";
        const bool half = breaker.state == "HALF_OPEN";
        if (!open && !half) continue;
        out.push_back(
            {.kind = AlertKind::breaker_open,
             .subject = breaker.name,
             .summary = fmt::format("The circuit breaker {} is {}", breaker.name, breaker.state),
             .only_holds = half}
        );
    }
}

// The stores are compared while the sale goes on, so that one look may see a change half made: what
// is still off some seconds later is off. A violation somebody found is one at once.
void AlertRules::judge_invariants(Findings& out, const AlertFigures& figures) {
    domain::Units off = std::abs(figures.drift);
    for (const auto& item : figures.items) off += std::abs(item.drift());
    if (off == 0) {
        off_since_.reset();
    } else if (!off_since_) {
        off_since_ = figures.at;
    }
    const bool stays_off = off_since_ && figures.at - *off_since_ >= drift_patience;
    if (stays_off || figures.violations > violations_seen_) violated_at_ = figures.at;
    violations_seen_ = figures.violations;
    if (!violated_at_ || figures.at - *violated_at_ > violation_lasts) return;
    out.push_back(
        {.kind = AlertKind::invariant_violated,
         .subject = {},
         .summary = fmt::format("A promise was broken: the stock is off by {} units", off)}
    );
}

}  // namespace firstcome::telemetry
