// src/wiring/events.cpp - what carries events out of the house: the webhook's relay, the dead
// letters
#include "wiring/events.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <utility>

namespace firstcome::wiring {

namespace {

constexpr std::chrono::seconds release_patience{10};
constexpr std::size_t webhook_batch_max = 16;    // events asked of the outbox at once
constexpr std::chrono::seconds claim_slack{5};   // to note what became of it; clocks differ
constexpr std::chrono::milliseconds age_min{1};  // 0 says that there is none

}  // namespace

Events::~Events() = default;

std::expected<WebhookSink, std::string> Events::open_sink(bool tried_before) {
    auto opened = webhook::Sink::open(
        {.url = config_.webhook.url,
         .secret_file = config_.webhook.secret_file,
         .connect_timeout = config_.webhook.connect_timeout,
         .timeout = config_.webhook.timeout,
         .allow_private = config_.webhook.allow_private,
         .spans = tracing_.spans()},
        clock_
    );
    if (!opened) return std::unexpected(std::move(opened.error()));
    WebhookSink made;
    made.posts = std::move(*opened);
    made.traced = std::make_unique<tracing::Sink>(
        *made.posts,
        tracing::Sink::Kind{.one_by_one = true, .tried_before = tried_before},
        tracing_.spans(),
        clock_
    );
    made.guarded = std::make_unique<guarded::Sink>(*made.traced, *webhook_breaker_, clock_);
    return made;
}

std::expected<void, std::string> Events::open(
    const OpenLetters& letters, const OpenOutbox& outbox, app::ReleaseOrder release
) {
    auto desk_letters = letters();
    if (!desk_letters) return std::unexpected(std::move(desk_letters.error()));
    desk_letters_ = std::move(*desk_letters);
    std::vector<ports::EventSink*> sinks;
    for (const auto& sink : other_sinks_) sinks.push_back(sink.get());
    const resilience::BackoffOptions backoff{
        .first = config_.dead_letters.backoff, .cap = config_.dead_letters.backoff_max};
    if (has_webhook()) {
        webhook_breaker_ = &breakers_.add("webhook", config_.breaker.webhook_slow);
        for (WebhookSink* sink : {&relay_sink_, &desk_sink_}) {
            auto opened = open_sink(sink == &desk_sink_);
            if (!opened) return std::unexpected(std::move(opened.error()));
            *sink = std::move(*opened);
        }
        sinks.push_back(desk_sink_.guarded.get());
        auto relay_letters = letters();
        if (!relay_letters) return std::unexpected(std::move(relay_letters.error()));
        relay_letters_ = std::move(*relay_letters);
        auto opened = outbox();
        if (!opened) return std::unexpected(std::move(opened.error()));
        outbox_ = std::move(*opened);
        app::RelayOptions options;
        options.thread_name = "fc-sink";
        options.batch_max = webhook_batch_max;
        options.parked = backoff;
        relay_ = std::make_unique<app::Relay>(
            options,
            app::RelayEnds{
                .outbox = *outbox_,
                .sink = *relay_sink_.guarded,
                .dead_letters = *relay_letters_,
                .clock = clock_,
                .entropy = relay_entropy_},
            [this](std::span<const domain::Event> delivered, base::WallTime now) {
                delivered_(webhook_stage, delivered, now);
            }
        );
    }
    app::DeskOptions options;
    options.attempts_max = config_.dead_letters.attempts_max;
    // A key may be answered as long as it lives; what was parked under it is known until then.
    options.keep = std::max(config_.dead_letters.keep, config_.idempotency.ttl);
    options.backoff = backoff;
    options.claim_for = longest_retry() + claim_slack;
    desk_ = std::make_unique<app::DeadLetterDesk>(
        options,
        app::DeskParts{
            .dead_letters = *desk_letters_,
            .sinks = std::move(sinks),
            .release = std::move(release),
            .clock = clock_,
            .entropy = desk_entropy_}
    );
    return {};
}

std::chrono::milliseconds Events::longest_delivery() const {
    return webhook_batch_max * longest_post();
}

std::chrono::milliseconds Events::longest_post() const {
    return config_.webhook.connect_timeout + config_.webhook.timeout;
}

// A node that is killed meanwhile holds the entry up for so long, and no other tries it before.
std::chrono::milliseconds Events::longest_retry() const {
    if (config_.mode == config::Mode::embedded) return longest_post();
    const auto store = config_.postgres.connect_timeout + 3 * config_.postgres.statement_timeout;
    return std::max(longest_post(), store);
}

void Events::start() {
    FC_ASSERT(desk_ != nullptr);
    desk_->start();
    if (relay_) relay_->start();
}

// A receiver that does not answer must not hold up the end: its request is ended at the deadline.
std::uint64_t Events::drain(base::MonotonicTime deadline) {
    std::uint64_t left = 0;
    if (relay_) {
        auto drained =
            std::async(std::launch::async, [this, deadline] { return relay_->drain(deadline); });
        const auto patience =
            std::max(deadline - clock_.monotonic(), base::MonotonicTime::duration{});
        if (drained.wait_for(patience) != std::future_status::ready) relay_sink_.posts->stop();
        left = drained.get();
    }
    if (desk_sink_.posts) desk_sink_.posts->stop();
    if (desk_) desk_->stop();
    return left;
}

void Events::add_to(ports::Backlog& backlog, std::span<const app::Relay* const> relays) const {
    if (relay_)
        backlog.waiting.push_back({.stage = webhook_stage, .lane = 0, .depth = relay_->depth()});
    if (const auto totals = desk_ ? desk_->totals() : nullptr) {
        backlog.retrying = totals->retrying;
        backlog.dead = totals->dead;
        backlog.by_cause = totals->by_cause;
        const auto age = totals->oldest ? clock_.wall() - *totals->oldest : age_min;
        if (totals->oldest) backlog.oldest_age = std::max(age, age_min);
    }
    std::array<std::uint64_t, ports::causes.size()> parked{};
    const auto add = [&parked](const app::Relay& relay) {
        const auto counts = relay.counts();
        for (std::size_t at = 0; at < parked.size(); ++at) parked[at] += counts.parked[at];
    };
    if (relay_) add(*relay_);
    for (const app::Relay* relay : relays) add(*relay);
    for (std::size_t at = 0; at < parked.size(); ++at) {
        const ports::Cause cause = ports::causes[at];
        backlog.counted.push_back({.action = "parked", .cause = cause, .count = parked[at]});
        for (const app::DeskAction action : app::desk_actions) {
            const std::uint64_t count = desk_ ? desk_->count(action, cause) : 0;
            backlog.counted.push_back({.action = app::name(action), .cause = cause, .count = count}
            );
        }
    }
}

app::ReleaseOrder release_on(std::vector<app::OrderLane*> lanes) {
    return [lanes = std::move(lanes)](
               domain::OrderId order, std::string_view reason
           ) -> std::expected<ports::Release, ports::LedgerError> {
        if (order.shard() >= lanes.size()) return ports::Release::order_not_found;
        using Reply = std::expected<ports::Release, ports::LedgerError>;
        auto promised = std::make_shared<std::promise<Reply>>();
        auto reply = promised->get_future();
        const bool asked = lanes[order.shard()]->run_on_lane(
            [promised, order, why = std::string(reason)](ports::OrderLedger& ledger) {
                promised->set_value(ledger.release(order, why));
            }
        );
        if (!asked || reply.wait_for(release_patience) != std::future_status::ready) {
            return std::unexpected(ports::LedgerError::unavailable);
        }
        return reply.get();
    };
}

}  // namespace firstcome::wiring
