// tests/http/api_world.hpp - the whole API over stores in memory, behind a real server
#pragma once

#include "adapters/memory/dead_letters.hpp"
#include "app/audit_desk.hpp"
#include "app/dead_letter_desk.hpp"
#include "base/assert.hpp"
#include "http/api.hpp"
#include "http/in_flight.hpp"
#include "http/orders_handler.hpp"
#include "tests/app/world.hpp"
#include "tests/http/live_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::http {

/// Newest first, and all on one page.
class KeptAudit final : public ports::AuditLog {
public:
    Result<void> add(const ports::AuditEntry& entry) override {
        entries_.insert(entries_.begin(), entry);
        return {};
    }

    Result<ports::AuditPage> list(std::size_t, const std::optional<ports::AuditCursor>&) override {
        return ports::AuditPage{.entries = entries_, .next = {}};
    }

private:
    std::vector<ports::AuditEntry> entries_;
};

/// Members stand in order of life.
class ApiWorld {
public:
    /// Without a desk: as where no dead letters are kept.
    explicit ApiWorld(bool with_desk = true) {
        if (with_desk) {
            desk_ = std::make_unique<app::DeadLetterDesk>(
                app::DeskOptions{.tick = std::chrono::hours{1}},
                app::DeskParts{
                    .dead_letters = letters,
                    .sinks = {},
                    .release = [this](domain::OrderId, std::string_view) -> Released {
                        ++releases;
                        return ports::Release::released;
                    },
                    .clock = system_clock_,
                    .entropy = lane_.entropy}
            );
            desk_->start();
            app_.dead_letters = desk_.get();
        }
        audit_.start();
        app_.audit = &audit_;
        app_.in_flight = &in_flight;
        ServerOptions options;
        options.port = 0;
        server_ = std::make_unique<Server>(options, router_, clock, entropy_);
        const auto started = server_->start();
        EXPECT_TRUE(started) << started.error();
    }

    /// Asks on a connection of its own, with the admin token unless another is given.
    Answer ask(
        std::string_view method,
        std::string_view path,
        std::string_view body = {},
        std::string_view token = token_text
    ) {
        RawClient client{port()};
        return client.ask(request(method, path, body, token));
    }

    /// The bytes of it.
    static std::string request(
        std::string_view method,
        std::string_view path,
        std::string_view body = {},
        std::string_view token = token_text
    ) {
        std::string text = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: a" +
                           "\r\nAuthorization: Bearer " + std::string(token) + "\r\n";
        if (!body.empty()) text += "Content-Type: application/json\r\n";
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
        return text + std::string(body);
    }

    [[nodiscard]] std::uint16_t port() const { return server_->port(); }

    /// Holds the desk's thread until the gate is opened, and waits until it is held.
    void hold_desk(test::Gate& gate) {
        const bool asked = desk_->ask([&gate](ports::DeadLetters&) { gate.hold(); });
        FC_ASSERT(asked);
        gate.wait_until_held();
    }

    /// Time passes, and the server has noticed it.
    void pass(std::chrono::nanoseconds time) {
        clock.advance(time);
        const bool noticed = eventually([&] { return server_->last_beat(0) == clock.monotonic(); });
        EXPECT_TRUE(noticed);
    }

    /// The desk's table fails like this until told otherwise; said on the desk's own thread.
    void letters_fail(std::optional<ports::DeadLetterError> error) {
        std::promise<void> said;
        const bool asked = desk_->ask([&](ports::DeadLetters&) {
            letters.fail_with(error);
            said.set_value();
        });
        FC_ASSERT(asked);
        said.get_future().wait();
    }

    /// Ends the desk: from now on nothing is asked of it any more.
    void stop_desk() { desk_->stop(); }

    ManualClock clock;
    memory::DeadLetters letters;  ///< the desk's; a test uses `other_node()`
    std::atomic<int> releases{0};
    InFlightBounds in_flight{.batches = InFlight{2}, .reads = InFlight{2}, .admin = InFlight{2}};

private:
    using Released = std::expected<ports::Release, ports::LedgerError>;

    static constexpr std::string_view token_text = "t0ken";

    static std::vector<std::unique_ptr<ports::OrderStore>> stores(test::LaneWorld& lane) {
        std::vector<std::unique_ptr<ports::OrderStore>> made;
        made.push_back(std::make_unique<memory::Ledger>(
            memory::Ledger::Options{}, lane.clock, lane.entropy, lane.hash
        ));
        return made;
    }

    test::LaneWorld lane_;
    base::SystemClock system_clock_;
    CountingEntropy entropy_;
    ApiOptions options_;
    app::PlaceOrder place_order_{{&lane_.lane}};
    app::FindOrder find_order_{stores(lane_), 8};
    app::StockDesk stock_desk_{{{&lane_.lane, &lane_.memory}}};
    AdminTokens token_{AdminToken{std::string(token_text)}};
    app::ServiceState state_;
    app::AuditDesk audit_{std::make_unique<KeptAudit>(), clock, [](const ports::AuditEntry&) {}};
    std::unique_ptr<app::DeadLetterDesk> desk_;
    App app_{
        .options = options_,
        .place_order = place_order_,
        .find_order = find_order_,
        .stock_desk = stock_desk_,
        .hash = lane_.hash,
        .admin_tokens = token_,
        .state = state_,
        .dead_letters = nullptr,
        .metrics_text = {},
        .metrics_content_type = {},
        .recent_rates = {},
        .outcomes = {},
        .stuck = {},
        .invariant_violated = {}};
    PlaceOrderEndpoint endpoint_{app_};
    Router router_{api_routes(app_, endpoint_)};
    std::unique_ptr<Server> server_;
};

}  // namespace firstcome::http
