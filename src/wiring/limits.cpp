// src/wiring/limits.cpp - the rate limits with their gate, and what may be under way at once
#include "wiring/limits.hpp"

#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace firstcome::wiring {

namespace {

constexpr std::int32_t burst_max = 1'000'000;  // the algorithm's

std::optional<resilience::RateLimit> limit_of(const config::Rate& rate) {
    if (rate.count == 0) return std::nullopt;
    return resilience::RateLimit::per(
        rate.period,
        static_cast<std::uint32_t>(rate.count),
        static_cast<std::uint32_t>(std::min(rate.burst, burst_max))
    );
}

std::vector<base::IpNetwork> networks_of(const std::vector<std::string>& texts) {
    std::vector<base::IpNetwork> networks;
    for (const std::string& text : texts) {
        const auto network = base::IpNetwork::from(text);
        FC_ASSERT(network.has_value());  // the configuration was checked
        networks.push_back(*network);
    }
    return networks;
}

app::LimitSettings settings_of(const config::Config& config) {
    app::LimitSettings settings;
    settings.enabled = config.rate_limit.enabled;
    settings.shadow = config.rate_limit.shadow;
    const auto set = [&](app::LimitPolicy policy, const config::Rate& rate) {
        settings.limits[static_cast<std::size_t>(policy)] = limit_of(rate);
    };
    set(app::LimitPolicy::ip, config.rate_limit.ip);
    set(app::LimitPolicy::user, config.rate_limit.user);
    set(app::LimitPolicy::ip_orders, config.rate_limit.ip_orders);
    set(app::LimitPolicy::ip_reads, config.rate_limit.ip_reads);
    set(app::LimitPolicy::ip_admin, config.rate_limit.ip_admin);
    settings.allowed_networks = networks_of(config.rate_limit.allow);
    settings.allowed_users = config.rate_limit.allow_users;
    settings.trusted_proxies = networks_of(config.server.trusted_proxies);
    return settings;
}

void tell_whether_heard(bool heard) {
    if (heard) {
        log::info("the other nodes' share of the rate limits is heard again");
    } else {
        log::warn("the other nodes' share of the rate limits is not heard: each holds them alone");
    }
}

}  // namespace

Limits::Limits(
    const config::Config& config,
    const base::KeyedHash& hash,
    const base::Clock& clock,
    std::unique_ptr<ports::LimitShare> share
)
    : limiter_(
          {.memory_max_bytes = config.rate_limit.memory_max_bytes, .shares = share != nullptr},
          settings_of(config),
          hash
      ),
      in_flight_{
          http::InFlight{config.server.batches_max},
          http::InFlight{config.server.reads_max},
          http::InFlight{config.server.admin_max}} {
    if (share == nullptr) return;
    sharing_.emplace(limiter_, std::move(share), clock, tell_whether_heard);
    sharing_->start();
}

void Limits::apply(const config::Config& config) {
    limiter_.apply(settings_of(config));
}

}  // namespace firstcome::wiring
