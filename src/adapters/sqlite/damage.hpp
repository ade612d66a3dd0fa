// src/adapters/sqlite/damage.hpp - what an operator is told when a lane's file cannot be believed
#pragma once

#include "adapters/sqlite/database.hpp"

#include <string>
#include <string_view>

namespace firstcome::sqlite {

/// A sentence: what is damaged, and what to do.
[[nodiscard]] std::string damaged(std::string_view what);

/// The same for what SQLite found, or why it could not read.
[[nodiscard]] std::string read_failed(const SqliteError& error);

}  // namespace firstcome::sqlite
