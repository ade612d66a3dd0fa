// src/cli/config_flags.cpp - the flags by which any verb gets its configuration
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <unistd.h>

namespace firstcome::cli {

void add_config_flags(CLI::App& command, ConfigFlags& flags) {
    command.add_option("--config", flags.file, "TOML file to read (or FIRSTCOME_CONFIG)")
        ->type_name("FILE");
    // One value a flag: otherwise a later word of the command line would be taken too.
    command.add_option("--set", flags.set, "Set one option, like lane.count=4; may be repeated")
        ->type_name("SECTION.KEY=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_option("--listen", flags.listen, "Same as --set server.listen=...")
        ->type_name("ADDRESS:PORT");
    command.add_option("--data", flags.data_dir, "Same as --set data.dir=...")->type_name("DIR");
    command.add_option("--log-level", flags.log_level, "Same as --set log.level=...")
        ->type_name("LEVEL");
}

std::expected<config::Loaded, config::ConfigErrors> read_config(const ConfigFlags& flags) {
    config::Sources sources{
        .environment = config::environment_of(environ),
        .set = flags.set,
    };
    if (!flags.file.empty()) sources.file = flags.file;
    if (!flags.listen.empty()) sources.flags.push_back({"--listen", "server.listen", flags.listen});
    if (!flags.data_dir.empty()) sources.flags.push_back({"--data", "data.dir", flags.data_dir});
    if (!flags.log_level.empty())
        sources.flags.push_back({"--log-level", "log.level", flags.log_level});
    return config::load(sources);
}

std::optional<config::Loaded> load_config(const ConfigFlags& flags) {
    auto loaded = read_config(flags);
    if (loaded) return *std::move(loaded);
    for (const auto& error : loaded.error()) fmt::print(stderr, "firstcome: {}\n", error.text());
    return std::nullopt;
}

}  // namespace firstcome::cli
