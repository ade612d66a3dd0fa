// src/cli/print_config.cpp - firstcome print-config: what is in force, and where it came from
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace firstcome::cli {

void add_print_config(CLI::App& app, int& exit_code) {
    struct Flags {
        ConfigFlags config;
        bool reference = false;
    };

    auto flags = std::make_shared<Flags>();
    auto* command = app.add_subcommand(
        "print-config", "Print the configuration in force, with the origin of each value"
    );
    add_config_flags(*command, flags->config);
    command->add_flag(
        "--reference", flags->reference, "Instead: every option with meaning, range and default"
    );
    command->callback([flags, &exit_code] {
        if (flags->reference) {
            fmt::print("{}", config::reference());
            exit_code = ok;
            return;
        }
        const auto loaded = load_config(flags->config);
        if (loaded) fmt::print("{}", config::print(*loaded));
        exit_code = loaded ? ok : usage;
    });
}

}  // namespace firstcome::cli
