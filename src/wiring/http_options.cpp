// src/wiring/http_options.cpp - what the configuration says of the listeners and their routes
#include "wiring/http_options.hpp"

#include "cli/cli.hpp"

#include <algorithm>
#include <string>
#include <thread>

namespace firstcome::wiring {

unsigned io_threads_of(const config::Config& config) {
    if (config.server.io_threads > 0) return config.server.io_threads;
    // Half of the cores: the lanes, the readers and the kernel's own work need the others.
    return std::clamp(std::thread::hardware_concurrency() / 2, 1U, 16U);
}

http::ServerOptions server_options(const config::Config& config) {
    http::ServerOptions options;
    options.host = config.server.listen.host;
    options.port = config.server.listen.port;
    options.io_threads = io_threads_of(config);
    options.connections_max = config.server.connections_max;
    options.buffers_max = config.server.buffers_max_bytes;
    options.limits.body_size_max = config.server.body_max_bytes;
    options.timeouts.header = config.server.header_timeout;
    options.timeouts.body = config.server.body_timeout;
    options.timeouts.idle = config.server.idle_timeout;
    options.timeouts.reply = config.server.reply_timeout;
    options.access_log = {
        .on = config.log.access == config::AccessLog::on,
        .sample_percent = config.log.access_sample_percent};
    return options;
}

http::ApiOptions api_options(const config::Config& config) {
    return {
        .quantity_max = config.orders.quantity_max,
        .key_required = config.idempotency.required,
        .order_body_max = config.server.body_max_bytes,
        .batch_body_max = config.server.batch_body_max_bytes,
        .version = std::string(cli::version()),
        .mode = config.mode == config::Mode::embedded ? "embedded" : "distributed",
    };
}

http::ServerOptions admin_server_options(
    const config::Config& config, const config::Endpoint& listen
) {
    http::ServerOptions options = server_options(config);
    options.host = listen.host;
    options.port = listen.port;
    options.io_threads = 1;
    options.connections_max = std::min<std::size_t>(config.server.connections_max, 1000);
    options.thread_name = "fc-admin";
    return options;
}

}  // namespace firstcome::wiring
