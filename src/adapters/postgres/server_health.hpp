// src/adapters/postgres/server_health.hpp - the health indicator of the PostgreSQL that is the
// truth
#pragma once

#include "adapters/postgres/connection.hpp"
#include "ports/health_indicator.hpp"

#include <chrono>
#include <string_view>
#include <utility>

namespace firstcome::postgres {

/// Asks over a session of its own that no breaker holds back. Down when there is no answer, or the
/// server takes no writes.
class ServerHealth final : public ports::HealthIndicator {
public:
    explicit ServerHealth(ConnectionOptions options) : connection_(std::move(options)) {}

    [[nodiscard]] std::string_view name() const override { return "db"; }

    [[nodiscard]] std::chrono::milliseconds deadline() const override {
        return connection_.options().connect_timeout + connection_.options().call_timeout;
    }

    [[nodiscard]] ports::Health check() override;

private:
    Connection connection_;
};

}  // namespace firstcome::postgres
