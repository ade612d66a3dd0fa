// src/cli/cli.hpp - the verbs of the command line, each in its own file
#pragma once

#include "config/config.hpp"

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {  // NOLINT: the name is the library's
class App;
}

namespace firstcome::cli {

/// What the program tells its caller. Usage mistakes that CLI11 finds are `usage` too: main maps.
enum ExitCode : int {
    ok = 0,
    failed = 1,          // the server answered, but not with what was asked for (5xx, no JSON)
    usage = 2,           // wrong flags or a wrong configuration
    unreachable = 3,     // no server there, or no answer in time
    not_authorized = 4,  // 401, 403, or no token file
    refused = 5,         // the server said no: 400, 404, 409, 422, 429
};

/// Adds the verb to `app`; when it is called, its exit code is left in `exit_code`, which outlives
/// the parse.
void add_version(CLI::App& app, int& exit_code);
void add_print_config(CLI::App& app, int& exit_code);
void add_stock(CLI::App& app, int& exit_code);
void add_stats(CLI::App& app, int& exit_code);
void add_dlq(CLI::App& app, int& exit_code);
void add_healthcheck(CLI::App& app, int& exit_code);
void add_backup(CLI::App& app, int& exit_code);

/// What is wrong with the files a configuration names, each a sentence.
using CheckFiles = std::function<std::vector<std::string>(const config::Config&)>;
void add_check_config(CLI::App& app, int& exit_code, CheckFiles check_files = {});

/// `0.1.0`
[[nodiscard]] std::string_view version();

/// The flags by which any verb gets its configuration.
struct ConfigFlags {
    std::string file;              ///< --config
    std::vector<std::string> set;  ///< --set
    std::string listen;            ///< --listen
    std::string data_dir;          ///< --data
    std::string log_level;         ///< --log-level
};

void add_config_flags(CLI::App& command, ConfigFlags& flags);

/// Reads file, environment and flags.
///
/// Errors   every mistake at once
[[nodiscard]] std::expected<config::Loaded, config::ConfigErrors> read_config(
    const ConfigFlags& flags
);

/// The same. Nothing: every mistake was printed to standard error, and the
/// exit code is `usage`.
[[nodiscard]] std::optional<config::Loaded> load_config(const ConfigFlags& flags);

}  // namespace firstcome::cli
