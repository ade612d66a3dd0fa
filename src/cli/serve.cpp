// src/cli/serve.cpp - the verb `firstcome serve`: takes orders until it is told to stop
#include "cli/serve.hpp"

#include "base/assert.hpp"
#include "base/failpoint.hpp"
#include "cli/cli.hpp"
#include "telemetry/log.hpp"
#include "wiring/hardening.hpp"
#include "wiring/serve.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <signal.h>
#include <string>

namespace firstcome::cli {

namespace {

struct ServeFlags {
    ConfigFlags config;
    wiring::ServeOptions serve;
};

// Before any thread is made, so that all inherit it and only `serve` takes these signals.
void block_signals() {
    sigset_t blocked;
    ::sigemptyset(&blocked);
    for (const int each : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&blocked, each);
    ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
}

log::Format format_of(config::LogFormat format) {
    switch (format) {
        case config::LogFormat::automatic: return log::Format::automatic;
        case config::LogFormat::json: return log::Format::json;
        case config::LogFormat::text: return log::Format::text;
    }
    FC_UNREACHABLE();
}

int run_serve(const ServeFlags& flags) {
    wiring::harden_process();
    const auto loaded = load_config(flags.config);
    if (!loaded) return ExitCode::usage;
    if (const char* armed = std::getenv("FIRSTCOME_FAILPOINTS")) {
        if (const auto wrong = base::arm_failpoints(armed)) {
            std::fprintf(stderr, "firstcome: FIRSTCOME_FAILPOINTS: %s\n", wrong->c_str());
            return ExitCode::usage;
        }
    }
    block_signals();
    log::Options options;
    options.level = wiring::log_level_of(loaded->config.log.level);
    options.format = format_of(loaded->config.log.format);
    log::start(options);
    if (const auto seen = config::secrets_in_sight(*loaded); !seen.empty()) log::warn(seen);
    if (base::failpoints_armed) log::warn("failpoints are armed: this process is a test's");
    wiring::ServeOptions serve = flags.serve;
    serve.reread = [&flags] { return read_config(flags.config); };
    return wiring::serve(loaded->config, serve);
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<ServeFlags>();
    CLI::App* verb = app.add_subcommand("serve", "Take orders until told to stop (SIGTERM)");
    add_config_flags(*verb, flags->config);
    verb->add_flag("--demo", flags->serve.demo, "Make a demo item of 100 units if there is none");
    verb->add_option(
        "--ready-file", flags->serve.ready_file, "Write host:port here once orders are taken"
    );
    verb->callback([flags, &exit_code] { exit_code = run_serve(*flags); });
}

}  // namespace firstcome::cli
