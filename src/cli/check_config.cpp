// src/cli/check_config.cpp - firstcome check-config: would `serve` start with this?
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>

namespace firstcome::cli {

namespace {

int check(const ConfigFlags& flags) {
    const auto loaded = load_config(flags);
    if (!loaded) return usage;
    for (const auto& warning : config::warnings(loaded->config)) {
        fmt::print(stderr, "firstcome: warning: {}\n", warning);
    }
    const auto refusals = config::refusals(loaded->config);
    for (const auto& refusal : refusals) fmt::print(stderr, "firstcome: {}\n", refusal);
    if (!refusals.empty()) return usage;
    fmt::print("The configuration is good.\n");
    return ok;
}

}  // namespace

void add_check_config(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<ConfigFlags>();
    auto* command = app.add_subcommand(
        "check-config", "Tell every mistake in the configuration; exit 0 when there is none"
    );
    add_config_flags(*command, *flags);
    command->callback([flags, &exit_code] { exit_code = check(*flags); });
}

}  // namespace firstcome::cli
