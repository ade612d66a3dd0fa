// src/domain/stock.hpp - an item's figures, and the changes a sale manager may make to them
#pragma once

#include "domain/types.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::domain {

/// When orders are taken: [opens_at, closes_at). A missing end is open.
struct SaleWindow {
    std::optional<WallTime> opens_at;
    std::optional<WallTime> closes_at;

    friend bool operator==(const SaleWindow&, const SaleWindow&) = default;
};

/// One item at one moment. Conservation: initial + restocked = remaining + sold + compensating, in
/// every value.
struct StockFigures {
    ItemId item;
    Units initial = 0;
    Units restocked = 0;  ///< net of removals, so it may be negative
    Units remaining = 0;
    Units sold = 0;
    Units compensating = 0;  ///< accepted, failed later, not yet given back
    Sequence orders = 0;     ///< accepted so far: the last sequence given out
    SaleWindow window;
    std::optional<Units> per_user_limit;
    WallTime as_of{};

    /// What conservation is off by; 0 unless a promise was broken.
    [[nodiscard]] Units drift() const {
        return initial + restocked - remaining - sold - compensating;
    }

    [[nodiscard]] Units total() const { return initial + restocked; }
};

/// When so few units of an item are left that somebody should know.
struct LowStock {
    unsigned percent = 10;  ///< of its total, 1..99: so much or less is left
    std::map<std::string, unsigned, std::less<>> percent_of{};  ///< items with one of their own

    [[nodiscard]] unsigned percent_for(const ItemId& item) const;
};

enum class StockOperation : std::uint8_t { set, add, remove };

/// A change by a sale manager. Window and limit change only where a value is given; the inner
/// nullopt clears.
struct StockChange {
    ItemId item;
    StockOperation operation = StockOperation::set;
    Units quantity = 0;  ///< units, 0..stock_units_max
    std::optional<std::optional<WallTime>> opens_at;
    std::optional<std::optional<WallTime>> closes_at;
    std::optional<std::optional<Units>> per_user_limit;
    std::string reason;
    std::string who;       ///< for the audit row
    std::string trace_id;  ///< for the audit row
    std::optional<KeyHash> key;
};

/// A change that cannot be made; nothing moved.
enum class StockRejection : std::uint8_t {
    below_committed,         // fewer than already sold: the caller lowers less
    item_not_found,          // add or remove of an item never set: the caller sets it first
    total_too_large,         // above stock_units_max
    window_invalid,          // closes before it opens
    idempotency_key_reused,  // the key was used for another change
};

struct StockRejected {
    StockRejection why;
    Units committed = 0;  ///< below_committed: units sold or compensating
    Units total = 0;      ///< below_committed: units before the change
};

[[nodiscard]] std::string_view name(StockOperation operation);
[[nodiscard]] std::optional<StockOperation> stock_operation_from(std::string_view text);
[[nodiscard]] std::string_view name(StockRejection why);

}  // namespace firstcome::domain
