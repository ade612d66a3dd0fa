// src/wiring/measures.hpp - what the engine and the relays count, in the form the metrics take it
#pragma once

#include "http/routes.hpp"
#include "http/server.hpp"
#include "telemetry/counted.hpp"
#include "wiring/backend.hpp"

#include <span>
#include <vector>

namespace firstcome::wiring {

struct Listener {
    const http::Server* server = nullptr;
    const http::Router* router = nullptr;
};

/// Of all listeners together. The order route has its usual statuses from the start, so that a rate
/// sees the first of each.
///
/// Thread   any
[[nodiscard]] telemetry::HttpStats http_stats(std::span<const Listener> listeners);

/// Thread   any
[[nodiscard]] std::vector<telemetry::RelayFigures> relay_figures(std::span<const NamedRelay> relays
);

}  // namespace firstcome::wiring
