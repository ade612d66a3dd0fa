// src/ports/store_drift.hpp - an item of which the deciding store and the truth differ
#pragma once

#include "domain/types.hpp"

#include <string>

namespace firstcome::ports {

struct StoreDrift {
    domain::ItemId item;
    domain::Units units = 0;  ///< so many more would be sold (or fewer, below 0) than there are; 0:
                              ///< only places in line differ
    std::string what;         ///< for people
};

}  // namespace firstcome::ports
