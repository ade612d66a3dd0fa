// src/adapters/redis/server_health.cpp - the health indicator of the Redis that decides
#include "adapters/redis/server_health.hpp"

#include <utility>

namespace firstcome::redis {

using ports::Health;
using ports::HealthStatus;

ServerHealth::ServerHealth(std::vector<ConnectionOptions> servers, const base::Clock& clock) {
    for (ConnectionOptions& options : servers) {
        options.client_name += "-health";
        deadline_ += options.connect_timeout + options.command_timeout;
        connections_.push_back(std::make_unique<Connection>(std::move(options), clock));
    }
}

Health ServerHealth::check() {
    for (const auto& connection : connections_) {
        const auto answer = connection->command({"PING"});
        if (!answer) return ports::health_because(HealthStatus::down, answer.error().text);
    }
    Health health{.status = HealthStatus::up, .details = {}};
    if (connections_.empty()) return health;
    const Server& server = connections_.front()->server();
    health.details.push_back({.name = "version", .value = server.version});
    health.details.push_back({.name = "address", .value = text_of(server.address)});
    return health;
}

}  // namespace firstcome::redis
