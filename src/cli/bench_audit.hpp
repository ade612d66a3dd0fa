// src/cli/bench_audit.hpp - after the load: does what the server kept agree with what it answered?
#pragma once

#include "cli/bench_client.hpp"
#include "cli/bench_options.hpp"
#include "cli/bench_request.hpp"
#include "cli/bench_witness.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::cli {

/// An item's figures, in units.
struct StockView {
    std::int64_t initial = 0;
    std::int64_t restocked = 0;
    std::int64_t remaining = 0;
    std::int64_t sold = 0;
    std::int64_t compensating = 0;

    [[nodiscard]] std::int64_t committed() const { return sold + compensating; }
};

[[nodiscard]] StockView stock_from(std::string_view body);

/// Nothing for an item that was never set.
[[nodiscard]] std::expected<std::optional<StockView>, std::string> read_stock(
    BenchClient& client, std::string_view item
);

struct AuditLine {
    bool ok = true;
    std::string text;
};

/// What the audit looks at. `before` is empty for an item that did not exist.
struct AuditSubject {
    const BenchOptions& options;
    const Naming& naming;
    const Witness& seen;
    std::optional<StockView> before;
    StockView after;
};

/// The checks that need no more calls: conservation, sold = accepted, the line of sequences,
/// fairness, every answer possible. Pure.
[[nodiscard]] std::vector<AuditLine> audit_figures(const AuditSubject& subject);

/// Fetches the kept orders again and compares them with their 202.
[[nodiscard]] AuditLine audit_orders(const AuditSubject& subject, BenchClient& client);

}  // namespace firstcome::cli
