// src/http/order_json.hpp - orders: JSON in, JSON out; every byte a buyer sends or gets as a body
#pragma once

#include "domain/order.hpp"
#include "http/input_error.hpp"
#include "http/problem.hpp"
#include "ports/order_store.hpp"

#include <cstdint>
#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

inline constexpr std::int32_t quantity_max_default = 1000;  ///< units per order
inline constexpr std::size_t batch_orders_max = 1000;       ///< orders per orders:batch

/// Reads `{userId,itemId,quantity}`; key and trace of the result are left empty.
///
/// With a `buyer`, whom a token names, `userId` may be left out and is then the buyer's; whether
/// one that is given is the same is for the caller to see.
///
/// Units    quantity 1..quantity_max; ids are strings or integers (an integer is its decimal text)
/// Errors   every mistake found; allocates only when there is one
[[nodiscard]] std::expected<domain::OrderRequest, InputErrors> parse_order(
    std::string_view body,
    std::int32_t quantity_max = quantity_max_default,
    const domain::UserId* buyer = nullptr
);

/// One order of a batch; it stands or falls alone.
struct BatchElement {
    std::expected<domain::OrderRequest, InputErrors> order;
    std::string_view key;  ///< idempotencyKey as sent; empty: none. Into the body or `unescaped`
};

struct BatchBody {
    std::vector<BatchElement> elements;
    std::deque<std::string> unescaped;  ///< owns the keys that were written with escapes
};

/// Reads `{orders:[{userId,itemId,quantity,idempotencyKey?}...]}`; `buyer` as above.
///
/// Units    1..batch_orders_max elements; `body` outlives the result
/// Errors   what makes the whole body unusable; an element's mistakes are its own, with pointers
///          from the root ("/orders/3/quantity")
[[nodiscard]] std::expected<BatchBody, InputErrors> parse_batch(
    std::string_view body,
    std::int32_t quantity_max = quantity_max_default,
    const domain::UserId* buyer = nullptr
);

inline constexpr std::size_t order_json_size_max = 512;  ///< bytes no order body exceeds
inline constexpr std::size_t order_location_size = 51;   ///< bytes of "/api/v1/orders/{orderId}"

/// Writes `{orderId,userId,itemId,quantity,status,sequence,acceptedAt,durability}` and returns the
/// end; `out` has room for order_json_size_max bytes.
[[nodiscard]] char* write_order(char* out, const domain::Order& order);
void append_order(std::string& out, const domain::Order& order);

/// `/api/v1/orders/{orderId}`
void append_order_location(std::string& out, domain::OrderId id);

/// `{items:[order...],nextCursor}`; nextCursor is null on the last page.
void append_order_page(std::string& out, const ports::OrderPage& page);

/// `{count}`
void append_count(std::string& out, std::uint64_t count);

/// Writes the answer of orders:batch piece by piece, in order of the elements:
/// `{outcomes:[{status:202,location,idempotentReplayed,order}|{status,problem}...]}`.
class BatchAnswer {
public:
    /// `out` outlives this.
    explicit BatchAnswer(std::string& out);

    void accepted(const domain::Accepted& accepted);
    void refused(const Problem& problem, const ProblemContext& context);
    /// Ends the body; nothing may follow.
    void close();

private:
    void separate();

    std::string& out_;
    bool first_ = true;
};

}  // namespace firstcome::http
