// src/app/rate_limiter.cpp - how often an address or a user may ask: policies, exceptions, counts
#include "app/rate_limiter.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::app {

namespace {

/// Of IPv6 the first half: the other one is the subscriber's own to choose.
constexpr std::size_t v6_key_bytes = 8;

/// The policy of a route's class alone, besides the one for everything.
std::optional<LimitPolicy> policy_of(RouteClass route) {
    switch (route) {
        case RouteClass::open: return std::nullopt;
        case RouteClass::orders:
        case RouteClass::batch: return LimitPolicy::ip_orders;
        case RouteClass::reads: return LimitPolicy::ip_reads;
        case RouteClass::admin: return LimitPolicy::ip_admin;
    }
    FC_UNREACHABLE();
}

/// Addresses and users get a third of the memory each, the three by class the rest.
std::size_t share_of(LimitPolicy policy, std::size_t memory) {
    const bool large = policy == LimitPolicy::ip || policy == LimitPolicy::user;
    return large ? memory / 3 : memory / 9;
}

std::uint64_t key_of(const base::KeyedHash& hash, const base::IpAddress& address) {
    const std::size_t size = base::is_v4(address) ? address.size() : v6_key_bytes;
    return hash.hash64({reinterpret_cast<const char*>(address.data()), size});
}

bool lies_in(std::span<const base::IpNetwork> networks, const base::IpAddress& address) {
    return std::ranges::any_of(networks, [&](const auto& each) { return each.contains(address); });
}

std::size_t index_of(LimitPolicy policy, LimitDecision decision) {
    return static_cast<std::size_t>(policy) * limit_decision_count +
           static_cast<std::size_t>(decision);
}

}  // namespace

std::string_view name(LimitPolicy policy) {
    switch (policy) {
        case LimitPolicy::ip: return "ip";
        case LimitPolicy::user: return "user";
        case LimitPolicy::ip_orders: return "ip_orders";
        case LimitPolicy::ip_reads: return "ip_reads";
        case LimitPolicy::ip_admin: return "ip_admin";
    }
    FC_UNREACHABLE();
}

std::string_view name(LimitDecision decision) {
    switch (decision) {
        case LimitDecision::allowed: return "allowed";
        case LimitDecision::limited: return "limited";
        case LimitDecision::shadow: return "shadow";
        case LimitDecision::exempt: return "exempt";
    }
    FC_UNREACHABLE();
}

void LimitCounts::add(LimitPolicy policy, LimitDecision decision) {
    static std::atomic<std::size_t> threads{0};
    thread_local const std::size_t lane = threads.fetch_add(1) % lanes;
    lanes_[lane].counts[index_of(policy, decision)].fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t LimitCounts::sum(LimitPolicy policy, LimitDecision decision) const {
    std::uint64_t sum = 0;
    for (const Lane& lane : lanes_) {
        sum += lane.counts[index_of(policy, decision)].load(std::memory_order_relaxed);
    }
    return sum;
}

RateLimiter::RateLimiter(
    const Options& options, LimitSettings settings, const base::KeyedHash& hash
)
    : hash_(hash) {
    for (std::size_t at = 0; at < limit_policy_count; ++at) {
        tables_[at] = std::make_unique<resilience::LimitTable>(resilience::LimitTable::Options{
            .memory_max_bytes = share_of(static_cast<LimitPolicy>(at), options.memory_max_bytes),
            .uses_max = options.shares ? uses_max : 0});
    }
    apply(std::move(settings));
}

void RateLimiter::apply(LimitSettings settings) {
    std::ranges::sort(settings.allowed_users);
    const std::lock_guard lock{apply_mutex_};
    kept_.push_back(std::make_unique<const LimitSettings>(std::move(settings)));
    settings_.store(kept_.back().get(), std::memory_order_release);
}

LimitVerdict RateLimiter::admit_address(
    const base::IpAddress& address, RouteClass route, base::MonotonicTime now
) {
    const LimitSettings& now_valid = settings();
    const auto by_class = policy_of(route);
    if (!now_valid.enabled || !by_class) return {};
    if (lies_in(now_valid.allowed_networks, address)) return exempt(LimitPolicy::ip);
    const std::uint64_t key = key_of(hash_, address);
    // The narrower one first: what it refuses does not use up the other.
    const LimitVerdict narrow = check(now_valid, {*by_class, key, now});
    if (!narrow.allowed) return narrow;
    const LimitVerdict wide = check(now_valid, {LimitPolicy::ip, key, now});
    if (!wide.allowed || narrow.quota == 0) return wide;
    return wide.quota == 0 || narrow.remaining < wide.remaining ? narrow : wide;
}

LimitVerdict RateLimiter::admit_user(std::string_view user, base::MonotonicTime now) {
    const LimitSettings& now_valid = settings();
    if (!now_valid.enabled) return {};
    if (std::ranges::binary_search(now_valid.allowed_users, user)) {
        return exempt(LimitPolicy::user);
    }
    return check(now_valid, {LimitPolicy::user, hash_.hash64(user), now});
}

LimitVerdict RateLimiter::check(const LimitSettings& settings, const Asked& asked) {
    const auto& limit = settings.limits[static_cast<std::size_t>(asked.policy)];
    if (!limit) return {};
    const auto answer = table(asked.policy).check(asked.key, asked.now, *limit);
    const bool allowed = answer.allowed || settings.shadow;
    const auto refused = settings.shadow ? LimitDecision::shadow : LimitDecision::limited;
    counts_.add(asked.policy, answer.allowed ? LimitDecision::allowed : refused);
    return {
        .allowed = allowed,
        .policy = asked.policy,
        .quota = limit->burst,
        .remaining = answer.remaining,
        .window = limit->interval * limit->burst,
        .wait = answer.allowed ? answer.reset : answer.retry_after};
}

LimitVerdict RateLimiter::exempt(LimitPolicy policy) {
    counts_.add(policy, LimitDecision::exempt);
    return {};
}

std::vector<ports::LimitUse> RateLimiter::take_uses() {
    std::vector<ports::LimitUse> uses;
    std::vector<resilience::LimitTable::Use> of_table;
    for (std::size_t at = 0; at < limit_policy_count; ++at) {
        of_table.clear();
        tables_[at]->take_uses(of_table);
        for (const auto& use : of_table) {
            uses.push_back(
                {.key = use.key, .count = use.count, .policy = static_cast<std::uint8_t>(at)}
            );
        }
    }
    if (uses.size() <= uses_max) return uses;
    const auto last = uses.begin() + uses_max;
    std::ranges::nth_element(uses, last, std::ranges::greater{}, &ports::LimitUse::count);
    uses.erase(last, uses.end());
    return uses;
}

void RateLimiter::charge(std::span<const ports::LimitUse> uses, base::MonotonicTime now) {
    const LimitSettings& now_valid = settings();
    if (!now_valid.enabled) return;
    for (const ports::LimitUse& use : uses) {
        // A newer node may have policies we do not know.
        if (use.policy >= limit_policy_count) continue;
        const auto& limit = now_valid.limits[use.policy];
        if (limit) tables_[use.policy]->charge({use.key, use.count}, now, *limit);
    }
}

std::vector<LimitRow> RateLimiter::rows() const {
    std::vector<LimitRow> rows;
    for (std::size_t policy = 0; policy < limit_policy_count; ++policy) {
        for (std::size_t decision = 0; decision < limit_decision_count; ++decision) {
            const auto which = static_cast<LimitPolicy>(policy);
            const auto what = static_cast<LimitDecision>(decision);
            rows.push_back(
                {.policy = name(which), .decision = name(what), .count = counts_.sum(which, what)}
            );
        }
    }
    return rows;
}

std::uint64_t RateLimiter::without_room() const {
    std::uint64_t sum = 0;
    for (const auto& table : tables_) sum += table->figures().without_room;
    return sum;
}

}  // namespace firstcome::app
