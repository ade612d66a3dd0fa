// src/adapters/sqlite/query.hpp - one statement by its text, where preparing it costs nobody time
#pragma once

#include "adapters/sqlite/database.hpp"

#include <expected>
#include <string_view>

namespace firstcome::sqlite {

/// Binds `values` from parameter `first` on.
template <typename... Values>
void bind_all(Statement& statement, int first, const Values&... values) {
    (statement.bind(first++, values), ...);
}

/// Gives `row` each row.
template <typename Row>
[[nodiscard]] std::expected<void, SqliteError> each_row(Statement& statement, Row&& row) {
    while (true) {
        auto there = statement.step();
        if (!there) return std::unexpected(there.error());
        if (!*there) return {};
        row(static_cast<const Statement&>(statement));
    }
}

/// Prepares, binds, runs; `values` must live until it returns.
template <typename Row, typename... Values>
[[nodiscard]] std::expected<void, SqliteError> query(
    Database& database, std::string_view sql, Row&& row, const Values&... values
) {
    auto statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    bind_all(*statement, 0, values...);
    return each_row(*statement, row);
}

}  // namespace firstcome::sqlite
