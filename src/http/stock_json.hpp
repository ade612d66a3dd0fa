// src/http/stock_json.hpp - stock: what a sale manager sends, and the figures everybody reads
#pragma once

#include "domain/stock.hpp"
#include "http/input_error.hpp"
#include "ports/store_drift.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::http {

inline constexpr std::size_t reason_characters_max = 500;

/// Reads `{itemId,operation,quantity,opensAt?,closesAt?,perUserLimit?,reason?}`; who, trace id and
/// key of the result are left empty.
///
/// Units    quantity 0..stock_units_max, perUserLimit 1..stock_units_max, times RFC 3339 with zone;
///          null clears opensAt, closesAt and perUserLimit
/// Errors   every mistake found
[[nodiscard]] std::expected<domain::StockChange, InputErrors> parse_stock_change(
    std::string_view body
);

/// Whether figures are of now, or the last ones known while their source is away.
enum class Freshness : std::uint8_t { current, last_known };

/// `{itemId,initial,remaining,restocked,sold,compensating,orders,opensAt,closesAt,perUserLimit,
/// asOf}`, and `stale:true` when last_known. A window's end or a limit that is not set is null, so
/// that every answer has the same members. This is also the answer of POST /api/v1/admin/stock.
void append_stock(
    std::string& out, const domain::StockFigures& figures, Freshness freshness = Freshness::current
);

/// `{ok,items:[{itemId,drift}...]}`; ok when no item drifts and none differs between the stores.
/// One that does carries `difference`, in words, and those units too. Returns `ok`.
[[nodiscard]] bool append_conservation(
    std::string& out,
    std::span<const domain::StockFigures> items,
    std::span<const ports::StoreDrift> drifts
);

}  // namespace firstcome::http
