// src/adapters/sqlite/backup.hpp - a copy of a data directory that a server can start from
#pragma once

#include "adapters/sqlite/audit.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace firstcome::sqlite {

/// How far the copy of one file is.
struct BackupStep {
    std::string_view file;  ///< without its directory
    int pages_done = 0;     ///< of 4 KiB
    int pages = 0;
};

struct BackupReport {
    std::size_t files = 0;
    std::uint64_t bytes = 0;
    AuditReport audit;  ///< of the copy; without findings
};

/// Copies what a running server, or none, has in `data_dir` into the new directory `to`, and audits
/// the copy. Every order answered before the call is in it. All lanes are of the moment at which
/// the call has opened the last of them; an order answered while it opens them may be in it or not.
/// How far events were told is of an earlier moment, so that a start from the copy repeats some and
/// loses none. Not copied: the admin token (a start makes a new one).
///
/// `to` appears whole or not at all: until then it is called `to`.partial.
///
/// Errors   a sentence: what is in the way, or broken; `to` is then not there
/// Thread   any; also beside a running server, which goes on: its log grows meanwhile
/// Source   ADR-0004; SQLite "Online Backup API"
[[nodiscard]] std::expected<BackupReport, std::string> backup(
    const std::filesystem::path& data_dir,
    const std::filesystem::path& to,
    const std::function<void(const BackupStep&)>& progress
);

}  // namespace firstcome::sqlite
