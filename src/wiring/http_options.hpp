// src/wiring/http_options.hpp - what the configuration says of the listeners and their routes
#pragma once

#include "config/config.hpp"
#include "http/api.hpp"
#include "http/server.hpp"

namespace firstcome::wiring {

[[nodiscard]] unsigned io_threads_of(const config::Config& config);

[[nodiscard]] http::ServerOptions server_options(const config::Config& config);

/// Of admin.listen, at `listen`: one thread is plenty, and buyers do not reach it.
[[nodiscard]] http::ServerOptions admin_server_options(
    const config::Config& config, const config::Endpoint& listen
);

[[nodiscard]] http::ApiOptions api_options(const config::Config& config);

}  // namespace firstcome::wiring
