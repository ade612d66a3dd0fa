// src/telemetry/stock_families.hpp - the stock of each item as metrics, and whether it adds up
#pragma once

#include "domain/stock.hpp"
#include "telemetry/families.hpp"

#include <cstddef>
#include <span>

namespace firstcome::telemetry {

/// The first `shown_max` items get series; the others are counted. `between_stores`: units by which
/// two stores were found to differ, beside what each item's own figures are off.
void add_stock_families(
    Families& out,
    std::span<const domain::StockFigures> items,
    std::size_t shown_max,
    domain::Units between_stores
);

}  // namespace firstcome::telemetry
