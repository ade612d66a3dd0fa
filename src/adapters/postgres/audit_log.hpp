// src/adapters/postgres/audit_log.hpp - the audit log of all nodes
#pragma once

#include "adapters/postgres/connection.hpp"
#include "ports/audit_log.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace firstcome::postgres {

/// The table audit_log, and stock_movements beside it. An entry whose answer was lost is added
/// again before any other, and is then there once.
///
/// Thread   one at a time
class AuditLog final : public ports::AuditLog {
public:
    explicit AuditLog(ConnectionOptions options) : connection_(std::move(options)) {}

    [[nodiscard]] Result<void> add(const ports::AuditEntry& entry) override;
    [[nodiscard]] Result<ports::AuditPage> list(
        std::size_t limit, const std::optional<ports::AuditCursor>& below
    ) override;

private:
    Connection connection_;
    bool answer_lost_ = false;  // to the last entry: it may be there
};

}  // namespace firstcome::postgres
