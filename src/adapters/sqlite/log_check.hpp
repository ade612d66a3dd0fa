// src/adapters/sqlite/log_check.hpp - tells a torn tail of the write-ahead log from damage
#pragma once

#include <expected>
#include <string>

namespace firstcome::sqlite {

/// SQLite reads its log up to the first frame that is not whole, and silently leaves the rest:
/// right for a tail torn by a crash, wrong when a bit was flipped in the middle, since then orders
/// that were answered "accepted" would be gone. A commit is synced before the next one is written;
/// so a broken frame with a later commit behind its own cannot be a torn tail.
///
/// Not seen: damage within the very last commit, which looks just like a torn tail.
///
/// Errors   a sentence that names the file and where it is damaged
/// Thread   main, while nobody else has the file open
/// Source   SQLite "WAL-mode file format"
[[nodiscard]] std::expected<void, std::string> check_log(const std::string& lane_file);

}  // namespace firstcome::sqlite
