// src/wiring/low_stock.cpp - from the configuration: when an item's stock is low
#include "wiring/low_stock.hpp"

#include "config/fields.hpp"

#include <string>
#include <utility>

namespace firstcome::wiring {

domain::LowStock low_stock_of(const config::Config::Alerts& alerts) {
    domain::LowStock low{.percent = alerts.stock_low_percent};
    for (const std::string& each : alerts.stock_low_items) {
        if (auto own = config::item_percent_from(each)) {
            low.percent_of.insert_or_assign(std::move(own->first), own->second);
        }
    }
    return low;
}

}  // namespace firstcome::wiring
