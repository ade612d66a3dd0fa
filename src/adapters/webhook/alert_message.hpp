// src/adapters/webhook/alert_message.hpp - alerts as the JSON each kind of receiver reads
#pragma once

#include "base/time.hpp"
#include "ports/alert.hpp"

#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::webhook {

/// For `POST /api/v2/alerts`. An alert that goes on ends `valid_for` from now unless told again, so
/// that a node that dies leaves none behind.
///
/// Source   Alertmanager, api/v2/openapi.yaml: postableAlerts; Prometheus, rules/alerting.go
[[nodiscard]] std::string alertmanager_body(
    std::span<const ports::Alert> alerts,
    std::string_view node_url,  ///< `http://shop-1:8080`
    base::WallTime now,
    std::chrono::milliseconds valid_for
);

/// In the shape in which Alertmanager tells webhooks, so that receivers made for it work.
///
/// Source   Alertmanager, webhook_config, version 4
[[nodiscard]] std::string generic_body(
    std::span<const ports::Alert> alerts, std::string_view node_url
);

/// `{"text": ...}`, a line an alert.
///
/// Source   Slack, incoming webhooks; Mattermost and others read the same
[[nodiscard]] std::string slack_body(std::span<const ports::Alert> alerts);

}  // namespace firstcome::webhook
