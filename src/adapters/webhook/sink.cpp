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
            " from a stranger's. Make one with: echo \"whsec_$(openssl rand -base64 32)\" > FILE"
        );
    }
    if (auto good = check_url(options.url, options.allow_private); !good) {
        return std::unexpected(good.error());
    }
    auto signer = Signer::from_file(options.secret_file);
    if (!signer) return std::unexpected(signer.error());
    auto connection = Connection::open({
        .url = std::move(options.url),
        .connect_timeout = options.connect_timeout,
        .timeout = options.timeout,
        .allow_private = options.allow_private,
    });
    if (!connection) return std::unexpected(connection.error());
    return std::unique_ptr<Sink>{new Sink(*std::move(connection), *std::move(signer), clock)};
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
    if (const auto trace = traceparent(event.trace)) {
        headers.push_back(fmt::format("traceparent: {}", *trace));
    }
    auto reply = connection_->post(headers, body);
    if (!reply) {
        return DeliveryFailure{
            .cause = Cause::unavailable,
            .error = in_plain_words(reply.error()),
            .exact = true,
        };
    }
    return judge(*reply);
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
