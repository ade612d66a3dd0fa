// src/adapters/redis/server_health.hpp - the health indicator of the Redis that decides
#pragma once

#include "adapters/redis/connection.hpp"
#include "base/time.hpp"
#include "ports/health_indicator.hpp"

#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

namespace firstcome::redis {

/// Asks the master of each shard, over connections of its own that no breaker holds back. Down as
/// soon as one does not answer as a master should, with its words.
class ServerHealth final : public ports::HealthIndicator {
public:
    /// One for each server to be asked; `clock` outlives this.
    ServerHealth(std::vector<ConnectionOptions> servers, const base::Clock& clock);

    [[nodiscard]] std::string_view name() const override { return "redis"; }

    [[nodiscard]] std::chrono::milliseconds deadline() const override { return deadline_; }

    [[nodiscard]] ports::Health check() override;

private:
    std::vector<std::unique_ptr<Connection>> connections_;
    std::chrono::milliseconds deadline_{};
};

}  // namespace firstcome::redis
