// src/adapters/redis/check.hpp - at start: is this Redis one that orders can be trusted to?
#pragma once

#include "adapters/redis/connection.hpp"

#include <string>
#include <vector>

namespace firstcome::redis {

struct ServerCheck {
    std::string error{};   ///< what to change; empty: nothing
    bool passing = false;  ///< the error may go by itself: nobody answers, or it reads its data yet
    std::vector<std::string> warnings{};  ///< it works, but
};

/// What to change about such a server; empty: nothing.
[[nodiscard]] std::string complaint_about(const Server& server);

/// Connects and looks: reachable, password, version, master, rights, eviction, persistence.
///
/// Thread   the connection's
[[nodiscard]] ServerCheck check_server(Connection& connection);

}  // namespace firstcome::redis
