// src/adapters/sqlite/audit.hpp - checks a data directory against the invariants, without changing
// it
#pragma once

#include "domain/types.hpp"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace firstcome::sqlite {

/// What one item's rows add up to.
struct AuditedItem {
    domain::ItemId item;
    domain::Units total = 0;   ///< initial + restocked
    domain::Units sold = 0;    ///< of live orders
    std::uint64_t orders = 0;  ///< accepted, released ones included
    std::uint64_t released = 0;
};

struct AuditReport {
    std::uint64_t orders = 0;
    std::vector<AuditedItem> items;       ///< sorted by item
    std::vector<std::string> findings;    ///< what is broken, one sentence each; empty: all holds
    std::uint64_t findings_left_out = 0;  ///< beyond the first `findings_max`
};

inline constexpr std::size_t findings_max = 100;

/// Reads every row and goes on after a finding, unlike the start, which stops at the first: the
/// file's structure, each row's checksum, I1 no oversell, I4 one order per key and one release per
/// order, I7 sequences without gaps, the users' chains, and the last movement's figures of each
/// item. Not I6: a limit may have been set or lowered after the sale.
///
/// Errors   a sentence: why the directory could not be looked at
/// Thread   any; also beside a running server, which it does not disturb
[[nodiscard]] std::expected<AuditReport, std::string> audit(
    const std::filesystem::path& data_dir, const std::function<void(std::uint64_t orders)>& progress
);

}  // namespace firstcome::sqlite
