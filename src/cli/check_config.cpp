// src/cli/check_config.cpp - firstcome check-config: would `serve` start with this?
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <utility>

namespace firstcome::cli {

namespace {

int check(const ConfigFlags& flags, const CheckFiles& check_files) {
    const auto loaded = load_config(flags);
    if (!loaded) return usage;
    for (const auto& warning : config::warnings(loaded->config)) {
        fmt::print(stderr, "firstcome: warning: {}\n", warning);
    }
    auto refusals = config::refusals(loaded->config);
    if (check_files) {
        for (auto& mistake : check_files(loaded->config)) refusals.push_back(std::move(mistake));
    }
    for (const auto& refusal : refusals) fmt::print(stderr, "firstcome: {}\n", refusal);
    if (!refusals.empty()) return usage;
    fmt::print("The configuration is good.\n");
    return ok;
}

}  // namespace

void add_check_config(CLI::App& app, int& exit_code, CheckFiles check_files) {
    auto flags = std::make_shared<ConfigFlags>();
    auto* command = app.add_subcommand(
        "check-config",
        "Tell every mistake in the configuration and the files it names; exit 0 when there is none"
    );
    add_config_flags(*command, *flags);
    command->callback([flags, &exit_code, check_files = std::move(check_files)] {
        exit_code = check(*flags, check_files);
    });
}

}  // namespace firstcome::cli
