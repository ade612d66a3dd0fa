// src/app/rate_limiter.hpp - how often an address or a user may ask: policies, exceptions, counts
#pragma once

#include "base/hash.hpp"
#include "base/ip_network.hpp"
#include "base/time.hpp"
#include "ports/limit_share.hpp"
#include "resilience/limit_table.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::app {

/// What a route is to those who protect it. Probes and metrics are `open`: never limited.
enum class RouteClass : std::uint8_t { open, orders, batch, reads, admin };

/// The numbers go over the wire between nodes: never change one.
enum class LimitPolicy : std::uint8_t {
    ip = 0,
    user = 1,
    ip_orders = 2,
    ip_reads = 3,
    ip_admin = 4
};
inline constexpr std::size_t limit_policy_count = 5;
[[nodiscard]] std::string_view name(LimitPolicy policy);

enum class LimitDecision : std::uint8_t {
    allowed,
    limited,  // refused: 429
    shadow,   // let through in shadow mode, else it had been refused
    exempt,   // on the allow-list: not counted against anything
};
inline constexpr std::size_t limit_decision_count = 4;
[[nodiscard]] std::string_view name(LimitDecision decision);

/// All of it may change while serving (`apply`).
struct LimitSettings {
    bool enabled = true;
    bool shadow = false;  ///< counts, never refuses
    std::array<std::optional<resilience::RateLimit>, limit_policy_count> limits{};
    std::vector<base::IpNetwork> allowed_networks{};
    std::vector<std::string> allowed_users{};
    std::vector<base::IpNetwork> trusted_proxies{};  ///< whose X-Forwarded-For is believed
};

/// What a policy says of one event. Without a policy that applies, `quota` is 0.
struct LimitVerdict {
    bool allowed = true;
    LimitPolicy policy = LimitPolicy::ip;  ///< that refused; or else has least left
    std::uint32_t quota = 0;               ///< events at once
    std::uint32_t remaining = 0;
    std::chrono::nanoseconds window{};  ///< in which the whole quota comes back
    std::chrono::nanoseconds wait{};    ///< refused: until one more; allowed: until all is back
};

/// Counts per thread, so that no two threads write one cache line.
class LimitCounts {
public:
    void add(LimitPolicy policy, LimitDecision decision);
    [[nodiscard]] std::uint64_t sum(LimitPolicy policy, LimitDecision decision) const;

private:
    static constexpr std::size_t lanes = 16;

    struct alignas(64) Lane {
        std::array<std::atomic<std::uint64_t>, limit_policy_count * limit_decision_count> counts{};
    };

    std::array<Lane, lanes> lanes_;
};

/// A row of firstcome_ratelimit_total{policy,decision}.
struct LimitRow {
    std::string_view policy;
    std::string_view decision;
    std::uint64_t count = 0;
};

/// Thread   any, also `apply`: who asks meanwhile is answered by the old settings or the new
class RateLimiter {
public:
    struct Options {
        std::size_t memory_max_bytes = std::size_t{64} * 1024 * 1024;
        bool shares = false;  ///< notes what is used, for `take_uses`
    };

    /// `hash` outlives this; nodes that share have the same.
    RateLimiter(const Options& options, LimitSettings settings, const base::KeyedHash& hash);

    /// From now on these; what clients have used is kept.
    void apply(LimitSettings settings);

    [[nodiscard]] const LimitSettings& settings() const {
        return *settings_.load(std::memory_order_acquire);
    }

    /// A request from an address. IPv6 addresses count by their /64: that is what one subscriber
    /// gets.
    [[nodiscard]] LimitVerdict admit_address(
        const base::IpAddress& address, RouteClass route, base::MonotonicTime now
    );

    /// One order of a user.
    [[nodiscard]] LimitVerdict admit_user(std::string_view user, base::MonotonicTime now);

    /// What was used here since the last call; at most `uses_max`, those who used most.
    [[nodiscard]] std::vector<ports::LimitUse> take_uses();
    /// What was used on other nodes.
    void charge(std::span<const ports::LimitUse> uses, base::MonotonicTime now);

    /// Every policy and decision, also those that never happened.
    [[nodiscard]] std::vector<LimitRow> rows() const;

    /// Keys that found no room of their own and share one limit; more memory would help.
    [[nodiscard]] std::uint64_t without_room() const;

    static constexpr std::size_t uses_max = 4096;

private:
    struct Asked {
        LimitPolicy policy;
        std::uint64_t key;
        base::MonotonicTime now;
    };

    [[nodiscard]] LimitVerdict check(const LimitSettings& settings, const Asked& asked);
    [[nodiscard]] LimitVerdict exempt(LimitPolicy policy);

    [[nodiscard]] resilience::LimitTable& table(LimitPolicy policy) {
        return *tables_[static_cast<std::size_t>(policy)];
    }

    const base::KeyedHash& hash_;  // outlives
    std::array<std::unique_ptr<resilience::LimitTable>, limit_policy_count> tables_;
    LimitCounts counts_;
    std::mutex apply_mutex_;
    // All there ever were: somebody may still be reading an old one, and reloads are rare.
    std::vector<std::unique_ptr<const LimitSettings>> kept_;
    std::atomic<const LimitSettings*> settings_{nullptr};
};

}  // namespace firstcome::app
