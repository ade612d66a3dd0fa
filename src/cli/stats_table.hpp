// src/cli/stats_table.hpp - the answer of /api/v1/admin/stats as people read it
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace firstcome::cli {

/// All single values, one a line, then one line an item. Members this version does not know are
/// shown as they are, so that a newer server's figures are not hidden. Nothing: not a JSON object.
[[nodiscard]] std::optional<std::string> stats_table(std::string_view body);

}  // namespace firstcome::cli
