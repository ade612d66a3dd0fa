// src/wiring/events.hpp - what carries events out of the house: the webhook's relay, the dead
// letters
#pragma once

#include "adapters/guarded/sink.hpp"
#include "adapters/tracing/sink.hpp"
#include "adapters/webhook/sink.hpp"
#include "app/dead_letter_desk.hpp"
#include "app/order_lane.hpp"
#include "app/relay.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "ports/backlog.hpp"
#include "ports/dead_letters.hpp"
#include "ports/outbox.hpp"
#include "wiring/backend.hpp"
#include "wiring/breakers.hpp"
#include "wiring/tracing.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace firstcome::wiring {

/// A sink of the webhook behind the breaker; the relay and the desk have one each.
struct WebhookSink {
    std::unique_ptr<webhook::Sink> posts;
    std::unique_ptr<tracing::Sink> traced;
    std::unique_ptr<guarded::Sink> guarded;
};

/// Both modes' events: an outbox relayed to the webhook where one is configured, and the desk that
/// looks after what was refused.
///
/// Thread   main
class Events {
public:
    using OpenLetters =
        std::function<std::expected<std::unique_ptr<ports::DeadLetters>, std::string>()>;
    using OpenOutbox = std::function<std::expected<std::unique_ptr<ports::Outbox>, std::string>()>;

    /// All outlive this.
    Events(
        const config::Config& config,
        const base::Clock& clock,
        Breakers& breakers,
        Tracing& tracing,
        DeliveredAt delivered
    )
        : config_(config),
          clock_(clock),
          breakers_(breakers),
          tracing_(tracing),
          delivered_(std::move(delivered)) {}

    ~Events();
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;

    [[nodiscard]] bool has_webhook() const { return !config_.webhook.url.empty(); }

    /// Another consumer whose dead letters the desk tries again; before `open`.
    void add_sink(std::unique_ptr<ports::EventSink> sink) {
        other_sinks_.push_back(std::move(sink));
    }

    /// Errors   a sentence for the operator
    [[nodiscard]] std::expected<void, std::string> open(
        const OpenLetters& letters, const OpenOutbox& outbox, app::ReleaseOrder release
    );

    void start();

    /// Delivers what waits until the deadline. Returns the events left; they are kept for the next
    /// start.
    [[nodiscard]] std::uint64_t drain(base::MonotonicTime deadline);

    /// How long one call of the webhook's sink may take at most.
    [[nodiscard]] std::chrono::milliseconds longest_delivery() const;
    /// The same of one event.
    [[nodiscard]] std::chrono::milliseconds longest_post() const;
    /// How long the desk's try of one entry may take at most, whichever sink it goes to.
    [[nodiscard]] std::chrono::milliseconds longest_retry() const;

    /// Null before `open`.
    [[nodiscard]] app::DeadLetterDesk* desk() const { return desk_.get(); }

    /// None without a webhook.
    [[nodiscard]] std::vector<NamedRelay> relays() const {
        if (!relay_) return {};
        return {{.stage = webhook_stage, .relay = relay_.get()}};
    }

    /// Adds the webhook's line, the dead letters, and what became of them here: by the desk, by the
    /// webhook's relay and by `relays`.
    ///
    /// Thread   any, once open
    void add_to(ports::Backlog& backlog, std::span<const app::Relay* const> relays = {}) const;

private:
    static constexpr std::string_view webhook_stage = "webhook";

    [[nodiscard]] std::expected<WebhookSink, std::string> open_sink(bool tried_before);

    const config::Config& config_;  // outlives
    const base::Clock& clock_;      // outlives
    Breakers& breakers_;            // outlives
    Tracing& tracing_;              // outlives
    DeliveredAt delivered_;
    base::SystemEntropy relay_entropy_;
    base::SystemEntropy desk_entropy_;
    resilience::CircuitBreaker* webhook_breaker_ = nullptr;
    std::unique_ptr<ports::Outbox> outbox_;
    std::unique_ptr<ports::DeadLetters> relay_letters_;
    std::unique_ptr<ports::DeadLetters> desk_letters_;
    WebhookSink relay_sink_;
    WebhookSink desk_sink_;
    std::vector<std::unique_ptr<ports::EventSink>> other_sinks_;
    std::unique_ptr<app::Relay> relay_;
    std::unique_ptr<app::DeadLetterDesk> desk_;
};

/// Gives an order's units back on the lane of its shard; waits for it up to ten seconds.
[[nodiscard]] app::ReleaseOrder release_on(std::vector<app::OrderLane*> lanes);

}  // namespace firstcome::wiring
