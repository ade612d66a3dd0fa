// src/ports/alert.hpp - what an operator is told without asking, and the port that tells it
#pragma once

#include "base/time.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::ports {

/// In the order they are shown. docs/operating.md has a line on each.
enum class AlertKind : std::uint8_t {
    stock_low,
    stock_sold_out,
    order_error_rate_high,
    order_latency_high,
    dlq_growing,
    dlq_stale,
    outbox_stalled,
    breaker_open,
    invariant_violated,
};
inline constexpr std::array alert_kinds{
    AlertKind::stock_low,
    AlertKind::stock_sold_out,
    AlertKind::order_error_rate_high,
    AlertKind::order_latency_high,
    AlertKind::dlq_growing,
    AlertKind::dlq_stale,
    AlertKind::outbox_stalled,
    AlertKind::breaker_open,
    AlertKind::invariant_violated,
};

/// `StockLow`, as the rules for Prometheus call it.
[[nodiscard]] std::string_view name(AlertKind kind);
/// `info`, `warning` or `critical`
[[nodiscard]] std::string_view severity(AlertKind kind);
/// The label that says what it is about: `item`, `name` of a breaker, `outbox`; empty: none.
[[nodiscard]] std::string_view subject_label(AlertKind kind);
/// Whether it is about one node. Any other is about the sale: every node raises it with the same
/// labels, so that whoever collects alerts takes them for one.
[[nodiscard]] bool is_of_node(AlertKind kind);
/// Whether every node finds it when one does. What only the node finds that parked the event, or
/// that compared the stores, nobody else can tell of.
[[nodiscard]] bool found_by_all(AlertKind kind);

struct Alert {
    AlertKind kind = AlertKind::stock_low;
    std::string subject;   ///< of `subject_label`
    std::string instance;  ///< the node, when it is of one; else empty
    std::string summary;   ///< one sentence with the figures of now
    base::WallTime starts_at{};
    std::optional<base::WallTime> ends_at{};  ///< set: it is over

    /// Of all alerts that fire at one time, one has this.
    [[nodiscard]] std::pair<AlertKind, std::string> key() const { return {kind, subject}; }
};

struct AlertFault {
    std::string text;      ///< for the log: one line, without the receiver's path
    bool passing = false;  ///< the same may be taken later
};

/// Somebody who is told of alerts.
///
/// Thread   one at a time; stop: any
class AlertReceiver {
public:
    AlertReceiver() = default;
    AlertReceiver(const AlertReceiver&) = delete;
    AlertReceiver& operator=(const AlertReceiver&) = delete;
    virtual ~AlertReceiver() = default;

    /// Tells of all of them at once, those that fire and those that are over. Blocks until the
    /// receiver has answered or a deadline of its own has passed.
    [[nodiscard]] virtual std::expected<void, AlertFault> tell(std::span<const Alert> alerts) = 0;

    /// Ends a call at hand within a second, and all later ones.
    virtual void stop() = 0;
};

}  // namespace firstcome::ports
