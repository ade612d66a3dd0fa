// src/adapters/webhook/alert_receiver.cpp - tells Alertmanager, a webhook or a chat of alerts
#include "adapters/webhook/alert_receiver.hpp"

#include "adapters/webhook/alert_message.hpp"
#include "adapters/webhook/words.hpp"
#include "base/assert.hpp"

#include <fmt/format.h>

namespace firstcome::webhook {

std::expected<std::unique_ptr<AlertReceiver>, std::string> AlertReceiver::open(
    Options options, const base::Clock& clock
) {
    Connection::Options connect{
        .url = options.url,
        .connect_timeout = options.connect_timeout,
        .timeout = options.timeout,
        .allow_private = true};
    if (options.format == AlertFormat::alertmanager) {
        while (connect.url.ends_with('/')) connect.url.pop_back();
        connect.url += "/api/v2/alerts";
    }
    auto connection = Connection::open(std::move(connect));
    if (!connection) return std::unexpected(std::move(connection.error()));
    return std::unique_ptr<AlertReceiver>{
        new AlertReceiver(std::move(options), std::move(*connection), clock)};
}

std::string AlertReceiver::body(std::span<const ports::Alert> alerts) const {
    switch (options_.format) {
        case AlertFormat::alertmanager:
            return alertmanager_body(alerts, options_.node_url, clock_.wall(), options_.valid_for);
        case AlertFormat::generic: return generic_body(alerts, options_.node_url);
        case AlertFormat::slack: return slack_body(alerts);
    }
    FC_UNREACHABLE();
}

std::expected<void, ports::AlertFault> AlertReceiver::tell(std::span<const ports::Alert> alerts) {
    const auto reply = connection_->post({}, body(alerts));
    if (!reply) {
        return std::unexpected(ports::AlertFault{
            .text = in_plain_words(reply.error()), .passing = true});
    }
    const long status = reply->status;
    if (status >= 200 && status < 300) return {};
    const bool passing = status >= 500 || status == 408 || status == 425 || status == 429;
    return std::unexpected(ports::AlertFault{
        .text = fmt::format("{}: {}", status, in_plain_words(reply->body).substr(0, 200)),
        .passing = passing});
}

}  // namespace firstcome::webhook
