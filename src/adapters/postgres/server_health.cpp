// src/adapters/postgres/server_health.cpp - the health indicator of the PostgreSQL that is the
// truth
#include "adapters/postgres/server_health.hpp"

#include <string>

namespace firstcome::postgres {

using ports::Health;
using ports::HealthStatus;

Health ServerHealth::check() {
    const auto rows = connection_.read(
        "SELECT current_setting('server_version'), pg_is_in_recovery()"
        " OR current_setting('default_transaction_read_only')::boolean"
    );
    if (!rows) return ports::health_because(HealthStatus::down, rows.error().text);
    if (rows->empty()) return ports::health_because(HealthStatus::down, "it answered nothing");
    if (rows->boolean(0, 1)) {
        return ports::health_because(
            HealthStatus::down, "it takes no writes: a standby, or set so"
        );
    }
    Health health{.status = HealthStatus::up, .details = {}};
    health.details.push_back({.name = "version", .value = std::string(rows->text(0, 0))});
    return health;
}

}  // namespace firstcome::postgres
