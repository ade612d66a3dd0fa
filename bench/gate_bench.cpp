// bench/gate_bench.cpp - what it costs to let a request in, and to send it away
//
// gate_bench                                 all
// gate_bench --benchmark_min_time=0.001      tiny, as the tests run it: it fails on a wrong verdict
#include "app/rate_limiter.hpp"
#include "base/entropy.hpp"
#include "base/hash.hpp"
#include "http/io_thread.hpp"
#include "http/rate_gate.hpp"
#include "http/request_parser.hpp"
#include "http/session.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <string>
#include <string_view>

using namespace firstcome;

namespace {

constexpr std::string_view request_bytes =
    "POST /api/v1/orders HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n"
    "Idempotency-Key: 4cf2e1a0-55b0-4c0e-9f7e-0d6b2f6f3f3a\r\n"
    "X-Forwarded-For: 198.51.100.7, 10.0.0.2\r\nContent-Length: 46\r\n\r\n";
constexpr std::string_view date = "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n";

/// As much of the server as a request meets at the gate.
struct World {
    explicit World(std::uint32_t burst) {
        app::LimitSettings settings;
        settings.limits[0] =
            resilience::RateLimit{.interval = std::chrono::milliseconds{10}, .burst = burst};
        settings.trusted_proxies.push_back(*base::IpNetwork::from("10.0.0.0/8"));
        limiter.apply(settings);
        route.limited_as = app::RouteClass::orders;
    }

    /// Parses the head, asks the gate and writes the answer where there is one.
    bool ask() {
        exchange.request.clear();
        http::Framing framing;
        const auto head = http::parse_head(request_bytes, {}, exchange.request, framing);
        if (!head) return false;
        exchange.request.route = &route;
        exchange.request.peer.bytes = *base::ip_address_from("10.0.0.1");
        exchange.request.arrived = now;
        exchange.request.trace.trace_low = ++trace;
        response.clear();
        const bool admitted = gate.admit(exchange.request, response);
        if (!admitted) {
            out.clear();
            http::write_response(out, exchange, response, date);
        }
        return admitted;
    }

    base::SystemEntropy entropy;
    base::KeyedHash hash{base::KeyedHash::new_secret(entropy)};
    app::RateLimiter limiter{{}, {}, hash};
    http::RateGate gate{limiter};
    http::Route route{
        .method = http::Method::post, .path = "/api/v1/orders", .handler = http::AnswerNow{}};
    base::MonotonicTime now{std::chrono::hours{100}};
    std::uint64_t trace = 1;
    http::Exchange exchange;
    http::Response response;
    std::string out;
};

// From the bytes of the head to the bytes of the 429.
void send_away(benchmark::State& state) {
    World world{1};
    if (!world.ask()) return state.SkipWithError("the first one is let in");
    for (auto round : state) {
        if (world.ask()) return state.SkipWithError("the others are not");
        benchmark::DoNotOptimize(world.out.data());
    }
}

// From the bytes of the head to the decision.
void let_in(benchmark::State& state) {
    World world{1'000'000};
    for (auto round : state) {
        world.now += std::chrono::milliseconds{10};
        if (!world.ask()) return state.SkipWithError("everybody is let in");
    }
}

// A new address each time, in a table that is full of others.
void let_in_strangers(benchmark::State& state) {
    World world{200};
    base::IpAddress address = *base::ip_address_from("2001:db8::");
    const auto ask = [&] {
        const std::uint64_t chance = ++world.trace * 0x9E3779B97F4A7C15U;
        for (std::size_t at = 0; at < 8; ++at) {
            address[at] = static_cast<std::uint8_t>(chance >> (8 * at));
        }
        world.now += std::chrono::microseconds{20};
        return world.limiter.admit_address(address, app::RouteClass::orders, world.now).allowed;
    };
    for (int at = 0; at < state.range(0); ++at) benchmark::DoNotOptimize(ask());
    for (auto round : state) {
        if (!ask()) return state.SkipWithError("a stranger was refused");
    }
}

BENCHMARK(send_away);
BENCHMARK(let_in);
BENCHMARK(let_in_strangers)->Arg(0)->Arg(2'000'000);

}  // namespace

BENCHMARK_MAIN();
