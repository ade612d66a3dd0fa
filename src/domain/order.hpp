// src/domain/order.hpp - what is asked, what is answered, and the one spelling of every "no"
#pragma once

#include "domain/types.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace firstcome::domain {

/// The trace an order belongs to; travels with it. All zero: none.
///
/// Source   W3C Trace Context
struct TraceContext {
    std::uint64_t trace_high = 0;
    std::uint64_t trace_low = 0;
    std::uint64_t span = 0;
    bool sampled = false;
};

/// One buyer's wish, already checked for form.
struct OrderRequest {
    UserId user;
    ItemId item;
    std::int32_t quantity = 1;  ///< units, 1..quantity_max of the configuration
    std::optional<KeyHash> key;
    TraceContext trace;
};

/// processing -> confirmed or failed; the last two absorb.
enum class OrderStatus : std::uint8_t { processing, confirmed, failed };

/// What a 202 promises: the loss it survives.
enum class Durability : std::uint8_t { disk, redis, database };

struct Order {
    OrderId id;
    UserId user;
    ItemId item;
    std::int32_t quantity = 0;  ///< units
    Sequence sequence = 0;
    WallTime accepted_at;
    OrderStatus status = OrderStatus::processing;
    Durability durability = Durability::disk;  ///< what it survives; in an answer to a key, as told
};

/// A business "no". It is an answer: counted, never logged as an error, remembered under no key,
/// moving no counter. The enumerator is the JSON code, the metric label and the log field.
enum class Rejection : std::uint8_t {
    sold_out,
    insufficient_stock,
    user_limit_exceeded,
    sale_not_open,
    sale_closed,
    item_not_found,
    idempotency_key_reused,
    idempotency_in_progress,
};
inline constexpr std::array rejections{
    Rejection::sold_out,
    Rejection::insufficient_stock,
    Rejection::user_limit_exceeded,
    Rejection::sale_not_open,
    Rejection::sale_closed,
    Rejection::item_not_found,
    Rejection::idempotency_key_reused,
    Rejection::idempotency_in_progress,
};

struct Accepted {
    Order order;
    bool replayed = false;  ///< the same key asked before: this is the first answer again
};

struct Rejected {
    Rejection why;
    Units remaining = 0;            ///< sold_out, insufficient_stock
    Units limit = 0;                ///< user_limit_exceeded: units a user may have
    Units used = 0;                 ///< user_limit_exceeded: units the user has
    WallTime at{};                  ///< sale_not_open: opens at; sale_closed: closed at
    WallTime decided_at{};          ///< sale_not_open: the clock that said no, for Retry-After
    bool item_differs = false;      ///< idempotency_key_reused
    bool quantity_differs = false;  ///< idempotency_key_reused
};

using Outcome = std::variant<Accepted, Rejected>;

[[nodiscard]] std::string_view name(Rejection why);
[[nodiscard]] std::string_view name(OrderStatus status);
[[nodiscard]] std::optional<OrderStatus> order_status_from(std::string_view text);
[[nodiscard]] std::string_view name(Durability durability);

}  // namespace firstcome::domain
