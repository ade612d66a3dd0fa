// src/adapters/sqlite/audit.hpp - checks a data directory against the invariants, without changing
// it
#pragma once

#include "ports/audit_report.hpp"

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <string>

namespace firstcome::sqlite {

using ports::AuditedItem;
using ports::AuditReport;

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
