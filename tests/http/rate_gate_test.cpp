// tests/http/rate_gate_test.cpp - who is sent away, what they are told, and that nothing was done
#include "http/rate_gate.hpp"

#include "base/ip_network.hpp"
#include "tests/http/live_server.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <utility>

namespace firstcome::http {
namespace {

using app::LimitPolicy;
using app::RouteClass;

constexpr resilience::RateLimit three_a_second{.interval = 333ms, .burst = 3};

app::LimitSettings limited(LimitPolicy policy) {
    app::LimitSettings settings;
    settings.limits[static_cast<std::size_t>(policy)] = three_a_second;
    return settings;
}

/// A gate with requests to ask it about.
struct GateWorld {
    explicit GateWorld(app::LimitSettings settings)
        : limiter{{.memory_max_bytes = 1U << 20U}, std::move(settings), hash} {}

    bool admits(std::string_view peer, const std::string& fields = {}) {
        request.clear();
        request.route = &route;
        request.arrived = now;
        request.peer.bytes = *base::ip_address_from(peer);
        request.fields = fields;
        request.authorization = authorization;
        request.trace.trace_low = entropy.next();
        response.clear();
        return gate.admit(request, response);
    }

    CountingEntropy entropy;
    base::KeyedHash hash{base::KeyedHash::new_secret(entropy)};
    app::RateLimiter limiter;
    RateGate gate{limiter};
    Route route{
        .method = Method::get,
        .path = "/api/v1/orders/count",
        .handler = AnswerNow{},
        .limited_as = RouteClass::reads};
    base::MonotonicTime now{100h};
    std::string_view authorization;
    Request request;
    Response response;
};

TEST(RouteClass, FollowsMethodAndPath) {
    struct Row {
        Method method;
        std::string_view path;
        RouteClass expect;
    };

    const Row rows[] = {
        {Method::post, "/api/v1/orders", RouteClass::orders},
        {Method::post, "/api/v1/orders:batch", RouteClass::batch},
        {Method::get, "/api/v1/orders", RouteClass::reads},
        {Method::get, "/api/v1/orders/{orderId}", RouteClass::reads},
        {Method::get, "/api/v1/orders/stock/{itemId}", RouteClass::reads},
        {Method::post, "/api/v1/admin/stock", RouteClass::admin},
        {Method::get, "/api/v1/admin/stats", RouteClass::admin},
        {Method::get, "/livez", RouteClass::open},
        {Method::get, "/metrics", RouteClass::open},
        {Method::get, "/openapi.json", RouteClass::open},
    };
    for (const Row& row : rows)
        EXPECT_EQ(route_class(row.method, row.path), row.expect) << row.path;
}

TEST(RateGate, TellsWhomItSendsAwayWhenToComeBack) {
    GateWorld world{limited(LimitPolicy::ip)};
    for (int at = 0; at < 3; ++at) ASSERT_TRUE(world.admits("198.51.100.7"));
    EXPECT_EQ(world.request.limit.policy, "ip");
    EXPECT_EQ(world.request.limit.remaining, 0U);
    ASSERT_FALSE(world.admits("198.51.100.7"));
    EXPECT_EQ(world.response.status, 429U);
    EXPECT_EQ(world.response.content_type, problem_content_type);
    EXPECT_NE(world.response.body.find(R"("code":"rate_limited")"), std::string::npos);
    EXPECT_NE(world.response.body.find(R"("violatedPolicies":["ip"])"), std::string::npos);
    const std::string& headers = world.response.headers;
    EXPECT_NE(headers.find("Retry-After: "), std::string::npos);
    EXPECT_NE(headers.find("RateLimit-Policy: \"ip\";q=3;w=1\r\n"), std::string::npos) << headers;
    EXPECT_NE(headers.find("RateLimit: \"ip\";r=0;t="), std::string::npos) << headers;
    world.now += 333ms;
    EXPECT_TRUE(world.admits("198.51.100.7")) << "one more a third of a second later";
}

TEST(RateGate, SpreadsThoseItSendsAway) {
    GateWorld world{limited(LimitPolicy::ip)};
    for (int at = 0; at < 3; ++at) ASSERT_TRUE(world.admits("198.51.100.7"));
    std::set<std::string> told;
    for (int at = 0; at < 100; ++at) {
        ASSERT_FALSE(world.admits("198.51.100.7"));
        told.insert(world.response.headers.substr(0, world.response.headers.find("\r\n")));
    }
    EXPECT_EQ(told, (std::set<std::string>{"Retry-After: 1", "Retry-After: 2"}));
}

TEST(RateGate, ForgedHeadersOfAStrangerShareOneLimit) {
    GateWorld world{limited(LimitPolicy::ip)};
    int admitted = 0;
    for (int at = 0; at < 1000; ++at) {
        const std::string forged =
            "X-Forwarded-For: 198.51.100." + std::to_string(at % 256) + "\r\n";
        admitted += world.admits("203.0.113.5", forged) ? 1 : 0;
    }
    EXPECT_EQ(admitted, 3);
}

TEST(RateGate, CountsWhoStandsBehindATrustedProxy) {
    app::LimitSettings settings = limited(LimitPolicy::ip);
    settings.trusted_proxies.push_back(*base::IpNetwork::from("10.0.0.0/8"));
    GateWorld world{std::move(settings)};
    const std::string first = "X-Forwarded-For: 198.51.100.7\r\n";
    for (int at = 0; at < 3; ++at) ASSERT_TRUE(world.admits("10.0.0.1", first));
    EXPECT_FALSE(world.admits("10.9.9.9", first)) << "the same client by another proxy";
    EXPECT_EQ(world.request.client.text(), "198.51.100.7");
    EXPECT_EQ(world.request.peer.text(), "10.9.9.9");
    EXPECT_TRUE(world.admits("10.0.0.1", "X-Forwarded-For: 198.51.100.8\r\n"));
}

TEST(RateGate, LetsProbesThroughAlways) {
    GateWorld world{limited(LimitPolicy::ip)};
    world.route.limited_as = RouteClass::open;
    for (int at = 0; at < 100; ++at) ASSERT_TRUE(world.admits("198.51.100.7"));
    EXPECT_TRUE(world.request.limit.policy.empty());
}

TEST(RateGate, HoldsWhoBringsATokenToAnOpenRouteLikeAnAdminWhereItIsRead) {
    struct Row {
        std::string_view path;
        bool reads_token;
    };

    const Row rows[] = {
        {"/livez", true},
        {"/actuator/health", true},
        {"/actuator/health/{component}", true},
        {"/readyz", false},
        {"/startupz", false},
        {"/metrics", false},
        {"/openapi.json", false},
    };
    for (const Row& row : rows) {
        GateWorld world{limited(LimitPolicy::ip_admin)};
        world.route.path = row.path;
        world.route.limited_as = RouteClass::open;
        world.authorization = "Bearer guess";
        for (int at = 0; at < 3; ++at) ASSERT_TRUE(world.admits("198.51.100.7")) << row.path;
        EXPECT_EQ(world.admits("198.51.100.7"), !row.reads_token) << row.path;
        world.authorization = {};
        EXPECT_TRUE(world.admits("198.51.100.7")) << "a probe is not in its way: " << row.path;
    }
}

TEST(RateGate, HoldsAUserToTheirOwnLimit) {
    GateWorld world{limited(LimitPolicy::user)};
    ASSERT_TRUE(world.admits("198.51.100.7"));
    for (int at = 0; at < 3; ++at) {
        EXPECT_FALSE(world.gate.refuse_order(world.request, "alice").has_value());
    }
    const auto problem = world.gate.refuse_order(world.request, "alice");
    ASSERT_TRUE(problem.has_value());
    EXPECT_EQ(problem->code, ProblemCode::rate_limited);
    EXPECT_EQ(std::get<RateLimited>(problem->members).policy, "user");
    EXPECT_FALSE(world.gate.refuse_order(world.request, "bob").has_value());
}

/// Lets two requests in, and counts who asked.
class TwoOnly final : public Gate {
public:
    bool admit(Request& request, Response& response) override {
        request.limit = {.policy = "ip", .remaining = 7, .reset_seconds = 2};
        if (asked++ < 2) return true;
        response.status = 429;
        return false;
    }

    std::optional<Problem> refuse_order(const Request&, std::string_view) override { return {}; }

    std::atomic<int> asked{0};
};

TEST(Session, AsksTheGateBeforeAnythingIsDone) {
    TwoOnly gate;
    LiveServer live{[&gate](ServerOptions& options) { options.gate = &gate; }};
    RawClient client{live.port()};
    const Answer first = client.ask(get("/echo/7"));
    EXPECT_EQ(first.status, 200U);
    EXPECT_EQ(first.field("RateLimit"), "\"ip\";r=7;t=2");
    EXPECT_EQ(client.ask(order("now")).status, 409U);
    const Answer refused = client.ask(order("now"));
    EXPECT_EQ(refused.status, 429U);
    EXPECT_EQ(refused.field("RateLimit"), "") << "the refusal speaks for itself";
    EXPECT_EQ(client.ask(get("/echo/7")).status, 429U);
    EXPECT_EQ(live.orders.submitted, 1);
    EXPECT_EQ(live.executed, 1);
    EXPECT_EQ(client.ask(get("/nowhere")).status, 404U);
    EXPECT_EQ(gate.asked, 4) << "nobody is asked about what there is not";
}

}  // namespace
}  // namespace firstcome::http
