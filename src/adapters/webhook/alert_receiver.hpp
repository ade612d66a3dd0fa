// src/adapters/webhook/alert_receiver.hpp - tells Alertmanager, a webhook or a chat of alerts
#pragma once

#include "adapters/webhook/connection.hpp"
#include "base/time.hpp"
#include "ports/alert.hpp"

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <utility>

namespace firstcome::webhook {

enum class AlertFormat : std::uint8_t { alertmanager, generic, slack };

/// A 2xx is taken for told; 408, 425, 429, 5xx and no whole answer for a receiver that cannot now;
/// any other answer for a no. It may be on a private address, where such receivers live: the
/// operator alone says where, and nothing of a buyer's is sent.
///
/// Thread   as the port says
class AlertReceiver final : public ports::AlertReceiver {
public:
    struct Options {
        std::string url;  ///< of Alertmanager: without /api/v2/alerts
        AlertFormat format = AlertFormat::generic;
        std::string node_url;  ///< `http://shop-1:8080`, where an alert comes from
        std::chrono::milliseconds valid_for = std::chrono::minutes{4};  ///< alertmanager only
        std::chrono::milliseconds connect_timeout{2'000};
        std::chrono::milliseconds timeout{5'000};  ///< of one POST, from the connect on
    };

    /// Asks nobody. `clock` outlives it.
    ///
    /// Errors   a sentence for the operator, without the URL: its path may be a secret
    [[nodiscard]] static std::expected<std::unique_ptr<AlertReceiver>, std::string> open(
        Options options, const base::Clock& clock
    );

    [[nodiscard]] std::expected<void, ports::AlertFault> tell(std::span<const ports::Alert> alerts
    ) override;

    void stop() override { connection_->stop(); }

private:
    AlertReceiver(Options options, std::unique_ptr<Connection> connection, const base::Clock& clock)
        : options_(std::move(options)), connection_(std::move(connection)), clock_(clock) {}

    [[nodiscard]] std::string body(std::span<const ports::Alert> alerts) const;

    Options options_;
    std::unique_ptr<Connection> connection_;
    const base::Clock& clock_;  // outlives
};

}  // namespace firstcome::webhook
