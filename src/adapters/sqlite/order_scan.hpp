// src/adapters/sqlite/order_scan.hpp - reads all orders of a file while another thread takes them
// in
#pragma once

#include "adapters/sqlite/database.hpp"
#include "adapters/sqlite/order_rows.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>

namespace firstcome::sqlite {

/// Handed thousands of rows at a time, in key order; what it returns as an error ends the scan.
using TakeRows =
    std::move_only_function<std::expected<void, std::string>(std::span<const RowView>)>;

/// Reads every order, and says how many there are. The caller's thread reads from SQLite, which is
/// half of the work of a start; `take` does the other half at the same time on another thread, one
/// block after the other, and has returned for the last time when this returns.
///
/// Errors   a sentence for the operator: of `take`, or why the file could not be read
[[nodiscard]] std::expected<std::uint64_t, std::string> scan_orders(
    Database& database, TakeRows take, const std::function<void(std::uint64_t orders)>& progress
);

}  // namespace firstcome::sqlite
