// src/adapters/probe/remote.hpp - health indicators of things elsewhere: an HTTP answer, a TCP port
#pragma once

#include "ports/health_indicator.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::probe {

struct RemoteOptions {
    std::string name;  ///< of the component
    std::string url;   ///< http:// or https:// to be asked, or tcp://host:port to be connected to
    std::chrono::milliseconds timeout{1'000};  ///< name look-up, connect and answer together
    int expected_status = 0;                   ///< of HTTP; 0: any 2xx
};

/// Asks anew each time, over a connection of its own: what is checked is that a new client gets
/// through. Follows no redirect, uses no proxy, reads no body, checks TLS certificates against the
/// system's authorities. What it says holds no part of the URL but host and port.
///
/// Errors   why there is no good answer is the reason
/// Thread   as the port says; `check` ends within the timeout
/// Source   libcurl; name look-ups run on a thread of its own, so that they end in time too
[[nodiscard]] std::unique_ptr<ports::HealthIndicator> remote(RemoteOptions options);

}  // namespace firstcome::probe
