// bench/bare_server.cpp - our HTTP layer with a static 202 and no lane: what the layer itself costs
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "http/server.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

namespace {

using namespace firstcome;

/// Typical in size, equal for everyone.
constexpr std::string_view accepted_body =
    R"({"orderId":"01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f","userId":123456,"itemId":"item-1",)"
    R"("quantity":1,"status":"processing","sequence":123456,)"
    R"("acceptedAt":"2026-01-01T00:00:00.000Z","durability":"disk"})";

class AcceptEverything final : public http::OrderEndpoint {
public:
    bool submit(const http::Request&, app::ReplySink&, std::uint64_t, http::Response& response)
        override {
        response.status = 202;
        response.content_type = "application/json";
        response.headers = "Location: /api/v1/orders/01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f\r\n";
        response.body = accepted_body;
        return false;
    }

    void answer(const http::Request&, const app::Reply&, http::Response&) override {}
};

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8090;
    unsigned threads = 1;
};

Options read(std::span<char*> arguments) {
    Options options;
    for (std::size_t i = 1; i + 1 < arguments.size(); i += 2) {
        const std::string_view name = arguments[i];
        const std::string value = arguments[i + 1];
        if (name == "--threads") options.threads = static_cast<unsigned>(std::stoul(value));
        if (name != "--listen") continue;
        const auto colon = value.rfind(':');
        options.host = value.substr(0, colon);
        options.port = static_cast<std::uint16_t>(std::stoul(value.substr(colon + 1)));
    }
    return options;
}

}  // namespace

int main(int count, char** arguments) {
    const Options options = read({arguments, static_cast<std::size_t>(count)});
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    base::SystemClock clock;
    base::SystemEntropy entropy;
    AcceptEverything orders;
    std::vector<http::Route> routes;
    routes.push_back({.method = http::Method::post, .path = "/api/v1/orders", .handler = &orders});
    const http::Router router{std::move(routes)};
    http::ServerOptions server_options;
    server_options.host = options.host;
    server_options.port = options.port;
    server_options.io_threads = options.threads;
    http::Server server{server_options, router, clock, entropy};
    if (const auto started = server.start(); !started) {
        std::fprintf(stderr, "%s\n", started.error().c_str());
        return EXIT_FAILURE;
    }
    std::printf("bare_server: port %u, %u io threads\n", server.port(), options.threads);
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
    return server.finish(clock.monotonic() + std::chrono::seconds{2}) == 0 ? EXIT_SUCCESS
                                                                           : EXIT_FAILURE;
}
