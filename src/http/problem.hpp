// src/http/problem.hpp - the only place where a "no" or a fault becomes a status code
#pragma once

#include "app/place_order.hpp"
#include "domain/order.hpp"
#include "domain/stock.hpp"
#include "http/idempotency_key.hpp"
#include "http/input_error.hpp"
#include "http/problem_code.hpp"
#include "ports/order_ledger.hpp"
#include "ports/order_store.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace firstcome::http {

inline constexpr std::string_view problem_content_type = "application/problem+json";

/// Why a buyer waits; the member `reason` of please_wait.
enum class WaitReason : std::uint8_t {
    overloaded,
    draining,
    rebuilding,
    breaker_open,
    storage_unavailable,
    storage_full,
    deadline_passed,
};
[[nodiscard]] std::string_view name(WaitReason why);

/// The limit that said no.
///
/// Source   IETF RateLimit header fields draft: RateLimit-Policy: "user";q=10;w=2
struct RateLimited {
    std::string_view policy;  ///< "ip", "user"
    std::uint64_t quota = 0;  ///< requests per window
    std::chrono::seconds window{1};
};

struct AllowedMethods {
    std::string_view list;  ///< "GET, POST"
};

/// Why a bearer token that was sent is refused, for the header.
///
/// Source   RFC 6750, section 3: error="invalid_token"
struct BearerRefused {
    std::string_view description;  ///< static text without quotes
};

/// A problem as a value; made by the functions below, cheap to copy unless it holds input errors.
struct Problem {
    ProblemCode code = ProblemCode::internal;
    std::string_view detail;                          ///< empty: the row's own
    std::optional<std::chrono::seconds> retry_after;  ///< header Retry-After
    std::variant<
        std::monostate,
        domain::Rejected,
        domain::StockRejected,
        WaitReason,
        InputErrors,
        RateLimited,
        AllowedMethods,
        BearerRefused>
        members;
};

/// Codes that carry nothing but themselves.
[[nodiscard]] inline Problem problem(ProblemCode code, std::string_view detail = {}) {
    return Problem{.code = code, .detail = detail, .retry_after = {}, .members = {}};
}

[[nodiscard]] Problem problem(const domain::Rejected& rejected);
[[nodiscard]] Problem problem(const domain::StockRejected& rejected);
[[nodiscard]] Problem problem(InputErrors errors);  ///< validation_failed
[[nodiscard]] Problem problem(KeyError why);        ///< idempotency_key_invalid

/// `chance` is any random word (base::Entropy): it spreads Retry-After, so that those who were
/// sent away together do not come back together.
[[nodiscard]] Problem problem(ports::LedgerError error, std::uint64_t chance);
[[nodiscard]] Problem problem(ports::StoreError error, std::uint64_t chance);
[[nodiscard]] Problem problem(app::Shed why, std::uint64_t chance);
[[nodiscard]] Problem please_wait(WaitReason why, std::uint64_t chance);

[[nodiscard]] Problem invalid_token(std::string_view sentence);      ///< unauthorized
[[nodiscard]] Problem method_not_allowed(std::string_view allowed);  ///< "GET, POST"
[[nodiscard]] Problem rate_limited(const RateLimited& limit, std::chrono::seconds retry_after);

/// The code of a domain "no", for metric labels before anything is rendered.
[[nodiscard]] ProblemCode problem_code(domain::Rejection why);
[[nodiscard]] ProblemCode problem_code(domain::StockRejection why);

/// Which request the problem is about.
struct ProblemContext {
    std::string_view instance;  ///< the request's path, as sent
    std::string_view trace_id;  ///< 32 hex digits; empty: left out
};

/// Appends the RFC 9457 body: `{type,title,status,code,detail,instance,traceId,...members}`.
void append_problem_body(std::string& out, const Problem& problem, const ProblemContext& context);

/// Appends the header lines that go with it ("Retry-After: 2\r\n"), most often none; Content-Type,
/// Content-Length and Connection are the engine's.
void append_problem_headers(std::string& out, const Problem& problem);

/// A rendered problem; keep one and render into it again to save the allocations.
struct ProblemParts {
    int status = 500;
    std::string_view code;
    std::string headers;  ///< whole lines, each with \r\n
    std::string body;     ///< problem_content_type
};

void render(const Problem& problem, const ProblemContext& context, ProblemParts& parts);
[[nodiscard]] ProblemParts render(const Problem& problem, const ProblemContext& context);

}  // namespace firstcome::http
