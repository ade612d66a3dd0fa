// src/http/rate_gate.hpp - the gate that holds addresses and users to their rates
#pragma once

#include "app/rate_limiter.hpp"
#include "http/gate.hpp"
#include "http/routes.hpp"

#include <atomic>
#include <optional>
#include <string_view>

namespace firstcome::http {

/// What a route is to the limits, by its method and path.
[[nodiscard]] app::RouteClass route_class(Method method, std::string_view path);

/// A refusal costs a walk over a few header fields, a hash and one entry of a table: it touches
/// neither lane nor store.
class RateGate final : public Gate {
public:
    explicit RateGate(app::RateLimiter& limiter) : limiter_(limiter) {}

    [[nodiscard]] bool admit(Request& request, Response& response) override;
    [[nodiscard]] std::optional<Problem> refuse_order(const Request& request, std::string_view user)
        override;

private:
    void warn_of_unread_header(const Request& request);

    app::RateLimiter& limiter_;  // outlives
    std::atomic<bool> warned_{false};
};

}  // namespace firstcome::http
