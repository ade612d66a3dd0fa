// src/ports/audit_log.hpp - the port that remembers who changed what by hand
#pragma once

#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::ports {

/// One change, never altered afterwards.
struct AuditEntry {
    base::WallTime at{};
    std::string who;       ///< an admin token's name
    std::string what;      ///< `stock.set`, `dead_letter.retry`, `breaker.open`, ...
    std::string subject;   ///< the item, entry, task or breaker
    std::string reason;    ///< as the admin gave it; empty: none
    std::string trace_id;  ///< 32 hex digits; empty: none
    std::string before;    ///< JSON; empty: not known
    std::string after;     ///< JSON; empty: not known
};

/// A place in the whole log, newest first: entries of one millisecond are told apart by where they
/// are kept and their number there.
struct AuditCursor {
    base::WallTime at{};
    std::int64_t source = 0;
    std::int64_t number = 0;

    friend auto operator<=>(const AuditCursor&, const AuditCursor&) = default;
};

struct AuditPage {
    std::vector<AuditEntry> entries;  ///< newest first
    std::optional<AuditCursor> next;  ///< there is more below this one
};

enum class AuditError : std::uint8_t {
    unavailable,  // nothing was written, or may be: try again later
    refused,      // the store will never take what the entry holds: pass it over
};

/// Stock changes are in it by themselves: their stores write them in the same transaction.
///
/// Thread   one at a time per object
class AuditLog {
public:
    AuditLog() = default;
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;
    virtual ~AuditLog() = default;

    template <typename T>
    using Result = std::expected<T, AuditError>;

    [[nodiscard]] virtual Result<void> add(const AuditEntry& entry) = 0;

    /// Units    limit 1..100
    [[nodiscard]] virtual Result<AuditPage> list(
        std::size_t limit, const std::optional<AuditCursor>& below
    ) = 0;
};

}  // namespace firstcome::ports
