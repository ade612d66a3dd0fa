// src/telemetry/stock_families.cpp - the stock of each item as metrics, and whether it adds up
#include "telemetry/stock_families.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace firstcome::telemetry {

namespace {

void add_units(Families& out, std::span<const domain::StockFigures> items) {
    begin_gauge(
        out,
        "firstcome_stock_units",
        "Units of an item: initial + restocked = remaining + sold + compensating."
    );
    for (const domain::StockFigures& figures : items) {
        const std::pair<const char*, domain::Units> states[] = {
            {"initial", figures.initial},
            {"restocked", figures.restocked},
            {"remaining", figures.remaining},
            {"sold", figures.sold},
            {"compensating", figures.compensating},
        };
        for (const auto& [state, units] : states) {
            const std::string item{figures.item.text()};
            add_value(out, static_cast<double>(units), {{"item", item}, {"state", state}});
        }
    }
}

double ratio_of(const domain::StockFigures& figures) {
    const auto total = static_cast<double>(figures.total());
    return total > 0 ? static_cast<double>(figures.remaining) / total : 0;
}

}  // namespace

void add_stock_families(
    Families& out,
    std::span<const domain::StockFigures> items,
    std::size_t shown_max,
    domain::Units between_stores
) {
    const auto shown = items.first(std::min(items.size(), shown_max));
    add_units(out, shown);
    begin_gauge(
        out, "firstcome_stock_ratio", "Remaining units of an item as a part of all it ever had."
    );
    for (const domain::StockFigures& figures : shown) {
        add_value(out, ratio_of(figures), {{"item", std::string{figures.item.text()}}});
    }
    begin_gauge(
        out,
        "firstcome_stock_items_unlisted",
        "Items beyond the 1,000 that have series of their own."
    );
    add_value(out, static_cast<double>(items.size() - shown.size()));

    double drift = std::abs(static_cast<double>(between_stores));
    for (const auto& figures : items) drift += std::abs(static_cast<double>(figures.drift()));
    begin_gauge(
        out,
        "firstcome_conservation_drift_units",
        "Units by which conservation is off, over all items; anything but 0 is a broken promise."
    );
    add_value(out, drift);
}

}  // namespace firstcome::telemetry
