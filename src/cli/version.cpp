// src/cli/version.cpp - firstcome version
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace firstcome::cli {

std::string_view version() {
    return FC_VERSION;
}

void add_version(CLI::App& app, int& exit_code) {
    app.add_subcommand("version", "Print the version")->callback([&exit_code] {
        fmt::print("firstcome {}\n", version());
        exit_code = ok;
    });
}

}  // namespace firstcome::cli
