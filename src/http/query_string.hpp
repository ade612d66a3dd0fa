// src/http/query_string.hpp - the part of a target after '?', read as strictly as a body
#pragma once

#include "domain/types.hpp"
#include "http/input_error.hpp"
#include "ports/dead_letters.hpp"
#include "ports/order_store.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

inline constexpr std::size_t page_limit_default = 20;  ///< orders on a page
inline constexpr std::size_t page_limit_max = 100;
inline constexpr std::size_t query_value_size_max = 256;  ///< bytes, decoded

struct QueryParameter {
    std::string_view name;  ///< one of `allowed`
    std::string value;      ///< decoded; may be empty
};

using Query = std::vector<QueryParameter>;

/// Reads `a=1&b=2` (without '?'); every name must be in `allowed` and come once at most.
///
/// Units    `allowed` outlives the result
/// Errors   unknown_parameter, duplicate_parameter, malformed_encoding, too_long
[[nodiscard]] std::expected<Query, InputErrors> parse_query(
    std::string_view raw, std::span<const std::string_view> allowed
);

/// The value of `name`; nothing when it was not given.
[[nodiscard]] std::optional<std::string_view> value_of(const Query& query, std::string_view name);

/// `limit`, 1..page_limit_max, or the default; a mistake is added to `errors`.
[[nodiscard]] std::size_t page_limit_of(const Query& query, InputErrors& errors);

/// GET /api/v1/orders: `userId` (a must, unless a token names the `buyer`), `itemId`, `status`,
/// `limit` 1..100, `cursor`.
[[nodiscard]] std::expected<ports::OrderQuery, InputErrors> parse_order_query(
    std::string_view raw, const domain::UserId* buyer = nullptr
);

struct DeadLetterQuery {
    ports::DeadLetterFilter filter;
    std::size_t limit = page_limit_default;
    std::optional<ports::DeadLetterId> below;
};

/// GET /api/v1/admin/dlq: `status`, `cause`, `itemId`, `consumer`, `limit` 1..100, `cursor`.
[[nodiscard]] std::expected<DeadLetterQuery, InputErrors> parse_dead_letter_query(
    std::string_view raw
);

/// A query that may hold `itemId` and nothing else: count, stats.
[[nodiscard]] std::expected<std::optional<domain::ItemId>, InputErrors> parse_item_query(
    std::string_view raw
);

}  // namespace firstcome::http
