// src/wiring/audit.hpp - checks PostgreSQL and Redis against the invariants and each other
#pragma once

#include "config/config.hpp"
#include "ports/audit_report.hpp"

#include <expected>
#include <string>

namespace firstcome::wiring {

/// Of the distributed mode; reads only, and may run beside live nodes: what is under way is looked
/// at again, and only what stays is a finding.
///
/// Errors   a sentence: why the stores could not be looked at
/// Thread   any; takes as long as PostgreSQL needs to read all orders
[[nodiscard]] std::expected<ports::AuditReport, std::string> audit_stores(
    const config::Config& config
);

}  // namespace firstcome::wiring
