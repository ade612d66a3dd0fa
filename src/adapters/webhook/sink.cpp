// src/adapters/webhook/sink.cpp - tells a receiver of each event, one signed POST at a time
#include "adapters/webhook/sink.hpp"

#include "adapters/webhook/address.hpp"
#include "adapters/webhook/message.hpp"
#include "adapters/webhook/words.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace firstcome::webhook {

using ports::Cause;
using ports::DeliveryFailure;

namespace {

constexpr std::chrono::seconds rest_max{300};

// Nothing: delivered.
std::optional<Cause> cause_of(long status) {
    if (status >= 200 && status < 300) return std::nullopt;
    if (status == 408) return Cause::unavailable;
    if (status == 425 || status == 429 || status >= 500) return Cause::overloaded;
    // It was read and found wrong; whatever else is no matter of the message.
    const bool is_about_the_message =
        status == 400 || status == 413 || status == 415 || status == 422;
    return is_about_the_message ? Cause::invalid : Cause::rejected;
}

}  // namespace

std::expected<std::unique_ptr<Sink>, std::string> Sink::open(
    Options options, const base::Clock& clock
) {
    if (options.secret_file.empty()) {
        return std::unexpected(
            "webhook.url is set and webhook.secret_file is not: receivers could not tell our events"
            " from a stranger's. Make one with:"
            " (umask 077; echo \"whsec_$(openssl rand -base64 32)\" > FILE)"
        );
    }
    if (auto good = check_url(options.url, options.allow_private); !good) {
        return std::unexpected(good.error());
    }
    auto signer = Signer::from_file(options.secret_file);
    if (!signer) return std::unexpected(signer.error());
    Peer peer = peer_of(options.url);
    auto connection = Connection::open({
        .url = std::move(options.url),
        .connect_timeout = options.connect_timeout,
        .timeout = options.timeout,
        .allow_private = options.allow_private,
    });
    if (!connection) return std::unexpected(connection.error());
    return std::unique_ptr<Sink>{new Sink(
        *std::move(connection), *std::move(signer), clock, options.spans, std::move(peer)
    )};
}

ports::Delivery Sink::deliver(std::span<const domain::Event> events) {
    for (std::size_t at = 0; at < events.size(); ++at) {
        auto failure = post(events[at]);
        note(failure);
        if (failure) return {.delivered = at, .failure = std::move(failure)};
    }
    return {.delivered = events.size(), .failure = std::nullopt};
}

std::optional<DeliveryFailure> Sink::post(const domain::Event& event) {
    if (clock_.monotonic() < not_before_) {
        return DeliveryFailure{
            .cause = Cause::overloaded,
            .error = "the receiver asked for a rest",
            .exact = true,
        };
    }
    const std::string id = event.id.text();
    const std::string body = message_body(event);
    const auto now = std::chrono::floor<std::chrono::seconds>(clock_.wall()).time_since_epoch();
    std::vector<std::string> headers{
        fmt::format("webhook-id: {}", id),
        fmt::format("webhook-timestamp: {}", now.count()),
        fmt::format("webhook-signature: {}", signer_.sign(id, now.count(), body)),
    };
    // The receiver's spans hang below this POST's own; without one, below the order's.
    const bool makes_span = spans_ != nullptr && event.trace.sampled && event.trace.span != 0;
    domain::TraceContext trace = event.trace;
    if (makes_span) trace.span = spans_->new_id();
    if (const auto value = traceparent(trace)) {
        headers.push_back(fmt::format("traceparent: {}", *value));
    }
    const base::MonotonicTime began = clock_.monotonic();
    auto reply = connection_->post(headers, body);
    if (makes_span) record(trace, event.trace.span, began, reply);
    if (!reply) {
        return DeliveryFailure{
            .cause = Cause::unavailable,
            .error = in_plain_words(reply.error()),
            .exact = true,
        };
    }
    return judge(*reply);
}

// Without the URL: its path may be the receiver's secret.
void Sink::record(
    const domain::TraceContext& post,
    std::uint64_t parent,
    base::MonotonicTime began,
    const std::expected<Reply, std::string>& reply
) {
    ports::Span span;
    span.context = post;
    span.parent = parent;
    span.name = "POST";
    span.kind = ports::SpanKind::client;
    span.start = spans_->at(began);
    span.end = spans_->at(clock_.monotonic());
    span.attributes = {
        {"http.request.method", "POST"},
        {"server.address", peer_.host},
        {"server.port", peer_.port},
    };
    if (!reply) {
        span.failed = true;
        span.error = ports::plain_text(reply.error());
        span.attributes.push_back({"error.type", "unavailable"});
    } else {
        span.attributes.push_back({"http.response.status_code", std::int64_t{reply->status}});
        span.failed = reply->status >= 400;
        if (span.failed) {
            span.attributes.push_back({"error.type", std::to_string(reply->status)});
        }
    }
    spans_->record(std::move(span));
}

std::optional<DeliveryFailure> Sink::judge(const Reply& reply) {
    const auto cause = cause_of(reply.status);
    if (!cause) return std::nullopt;
    if (ports::is_transient(*cause) && reply.retry_after.count() > 0) {
        not_before_ = clock_.monotonic() + std::min(reply.retry_after, rest_max);
    }
    const std::string_view separator = reply.body.empty() ? "" : ": ";
    return DeliveryFailure{
        .cause = *cause,
        .error = in_plain_words(fmt::format("HTTP {}{}{}", reply.status, separator, reply.body)),
        .exact = true,
    };
}

void Sink::note(const std::optional<DeliveryFailure>& failure) {
    if (connection_->stopped()) return;
    const bool fails = failure && ports::is_transient(failure->cause);
    if (fails == std::exchange(failing_, fails)) return;
    if (fails) {
        log::warn(
            "the webhook's receiver takes no events now; they wait", {{"error", failure->error}}
        );
    } else {
        log::info("the webhook's receiver takes events again");
    }
}

}  // namespace firstcome::webhook
