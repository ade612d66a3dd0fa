// src/ports/audit_report.hpp - what an audit of a store found, whichever store it is
#pragma once

#include "domain/types.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::ports {

/// What one item's orders add up to.
struct AuditedItem {
    domain::ItemId item;
    domain::Units total = 0;   ///< initial + restocked
    domain::Units sold = 0;    ///< of live orders
    std::uint64_t orders = 0;  ///< accepted, released ones included
    std::uint64_t released = 0;
};

struct AuditReport {
    static constexpr std::size_t findings_max = 100;

    std::uint64_t orders = 0;
    std::vector<AuditedItem> items;       ///< sorted by item
    std::vector<std::string> findings;    ///< what is broken, one sentence each; empty: all holds
    std::uint64_t findings_left_out = 0;  ///< beyond the first `findings_max`

    void find(std::string what) {
        if (findings.size() < findings_max) {
            findings.push_back(std::move(what));
        } else {
            ++findings_left_out;
        }
    }
};

}  // namespace firstcome::ports
