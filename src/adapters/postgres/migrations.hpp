// src/adapters/postgres/migrations.hpp - brings a database to this program's tables, at start
#pragma once

#include "adapters/postgres/connection.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace firstcome::postgres {

/// Why a node cannot start on this database.
struct StartFailure {
    bool passing = false;  ///< true: the same may succeed later, so waiting makes sense
    std::string text;      ///< for the operator: what is wrong and what to change
};

/// What the server said when this was attempted, and what to change about it.
[[nodiscard]] std::string told(const SqlFailure& failure, std::string_view attempted);

/// Checks the server, applies the migrations that are missing and agrees on the number of shards.
/// Any number of nodes may do so at once; a newer program's tables are left as they are.
///
/// Errors   server older than 14, a standby, wrong password, no such database, missing rights, a
///          migration changed after it was applied, another number of shards
/// Thread   main, at start; blocks up to a minute, and where a migration is missing up to an hour
[[nodiscard]] std::expected<void, StartFailure> prepare_database(
    const ConnectionOptions& options, unsigned shards
);

}  // namespace firstcome::postgres
