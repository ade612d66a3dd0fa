// src/adapters/sqlite/audit_log.hpp - the audit log of the embedded mode: one file, and the lanes'
#pragma once

#include "adapters/sqlite/data_dir.hpp"
#include "adapters/sqlite/database.hpp"
#include "ports/audit_log.hpp"

#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::sqlite {

/// Keeps its own entries in audit.sqlite and reads stock changes where the lanes wrote them.
///
/// Thread   one at a time
class AuditLog final : public ports::AuditLog {
public:
    [[nodiscard]] static std::expected<std::unique_ptr<AuditLog>, std::string> open(
        const DataDir& dir
    );

    [[nodiscard]] Result<void> add(const ports::AuditEntry& entry) override;
    [[nodiscard]] Result<ports::AuditPage> list(
        std::size_t limit, const std::optional<ports::AuditCursor>& below
    ) override;

private:
    struct Found {
        ports::AuditCursor place;
        ports::AuditEntry entry;
    };

    AuditLog(Database own, std::vector<Database> lanes)
        : own_(std::move(own)), lanes_(std::move(lanes)) {}

    [[nodiscard]] static std::expected<void, SqliteError> collect(
        Database& database,
        std::string_view sql,
        std::int64_t source,
        std::size_t limit,
        const ports::AuditCursor& below,
        std::vector<Found>& found
    );

    Database own_;
    std::vector<Database> lanes_;
};

}  // namespace firstcome::sqlite
