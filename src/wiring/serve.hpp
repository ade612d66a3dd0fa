// src/wiring/serve.hpp - the service from start to end; only wiring/ knows every layer
#pragma once

#include "config/config.hpp"
#include "wiring/reload.hpp"

#include <string>

namespace firstcome::wiring {

struct ServeOptions {
    bool demo = false;       ///< make the item `demo` when there is none
    std::string ready_file;  ///< gets `host:port` once the service takes orders; empty: none
    ReadConfig reread;  ///< for SIGHUP; none: only files the configuration names are read again
};

/// Serves until a signal, then drains. Everything it says goes to the log.
///
/// Returns  the exit code: 0 when nothing was left pending, 1 otherwise or when it could not start
/// Thread   main, with SIGTERM, SIGINT and SIGHUP blocked
[[nodiscard]] int serve(const config::Config& config, const ServeOptions& options);

/// Whether a signal to end has come that nobody has taken yet: who waits for long at the start
/// looks.
///
/// Thread   main
[[nodiscard]] bool is_asked_to_end();

}  // namespace firstcome::wiring
