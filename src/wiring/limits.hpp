// src/wiring/limits.hpp - the rate limits with their gate, and what may be under way at once
#pragma once

#include "app/limit_sharing.hpp"
#include "app/rate_limiter.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "http/in_flight.hpp"
#include "http/rate_gate.hpp"
#include "ports/limit_share.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace firstcome::wiring {

/// Thread   made and destroyed by main; `apply` and `rows`: any
class Limits {
public:
    /// All but `config` outlive this. `share` null: this node is alone.
    Limits(
        const config::Config& config,
        const base::KeyedHash& hash,
        const base::Clock& clock,
        std::unique_ptr<ports::LimitShare> share
    );

    /// What of a new configuration may change while serving: rate_limit.* but its memory, and
    /// server.trusted_proxies. What clients have used is kept.
    void apply(const config::Config& config);

    [[nodiscard]] http::Gate& gate() { return gate_; }

    [[nodiscard]] http::InFlightBounds& in_flight() { return in_flight_; }

    /// firstcome_ratelimit_total{policy,decision}
    [[nodiscard]] std::vector<app::LimitRow> rows() const { return limiter_.rows(); }

private:
    app::RateLimiter limiter_;
    http::RateGate gate_{limiter_};
    http::InFlightBounds in_flight_;
    std::optional<app::LimitSharing> sharing_;
};

}  // namespace firstcome::wiring
