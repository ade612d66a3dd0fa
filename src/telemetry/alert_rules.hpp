// src/telemetry/alert_rules.hpp - what is worth an alert, judged from figures; pure but for memory
#pragma once

#include "base/time.hpp"
#include "domain/stock.hpp"
#include "ports/alert.hpp"
#include "ports/backlog.hpp"
#include "ports/breaker_board.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::telemetry {

/// One look at everything the rules judge: the figures /metrics shows, at one moment.
struct AlertFigures {
    base::MonotonicTime at{};
    std::vector<domain::StockFigures> items{};
    std::uint64_t orders = 0;         ///< since the start: asked for, whatever was answered
    std::uint64_t orders_failed = 0;  ///< of these: by a fault of ours or of a store, shed or late
    double recent_per_second = 0;     ///< accepted, in the last ten seconds
    std::optional<std::chrono::nanoseconds> latency_p99{};  ///< of those
    std::vector<ports::BreakerFigures> breakers{};
    ports::Backlog backlog{};
    std::uint64_t violations = 0;  ///< broken invariants seen since the start
    domain::Units drift = 0;       ///< as the last comparison of the stores found it
};

struct AlertLimits {
    domain::LowStock stock_low{};
    unsigned error_percent = 5;
    std::chrono::milliseconds error_window = std::chrono::minutes{1};
    std::chrono::milliseconds latency_p99{500};
    std::chrono::milliseconds dead_letter_window = std::chrono::minutes{5};
    std::chrono::milliseconds dead_letter_age = std::chrono::hours{1};
    std::chrono::milliseconds outbox_age = std::chrono::seconds{30};
};

/// What a rule says of one thing at one look; nothing said means all is well.
struct Finding {
    ports::AlertKind kind = ports::AlertKind::stock_low;
    std::string subject{};
    std::string summary{};
    /// Not bad enough to begin an alert, not good enough to end one.
    bool only_holds = false;
};

/// The rules. Each remembers only what it needs to see a change.
///
/// Thread   one
class AlertRules {
public:
    /// Fewer orders than this say nothing about a rate or a latency.
    static constexpr std::uint64_t orders_min = 20;

    explicit AlertRules(AlertLimits limits) : limits_(std::move(limits)) {}

    /// `figures.at` never goes back.
    [[nodiscard]] std::vector<Finding> judge(const AlertFigures& figures);

private:
    struct OrdersAt {
        base::MonotonicTime at{};
        std::uint64_t orders = 0;
        std::uint64_t failed = 0;
    };

    using Findings = std::vector<Finding>;

    void judge_item(Findings& out, const domain::StockFigures& item) const;
    void judge_error_rate(Findings& out, const AlertFigures& figures);
    void judge_latency(Findings& out, const AlertFigures& figures) const;
    void judge_dead_letters(Findings& out, const AlertFigures& figures);
    void judge_outboxes(Findings& out, const AlertFigures& figures) const;
    static void judge_breakers(Findings& out, const AlertFigures& figures);
    void judge_invariants(Findings& out, const AlertFigures& figures);

    AlertLimits limits_;
    std::deque<OrdersAt> history_;    // as far back as the window and one look more
    std::uint64_t letters_seen_ = 0;  // open, at the last look
    std::uint64_t parked_seen_ = 0;   // by this node, since its start
    std::optional<base::MonotonicTime> letters_grew_;
    std::uint64_t violations_seen_ = 0;
    std::optional<base::MonotonicTime> off_since_;    // the stock does not add up
    std::optional<base::MonotonicTime> violated_at_;  // last known
};

}  // namespace firstcome::telemetry
