// src/main.cpp - the command line: one verb, one exit code
#include "cli/audit.hpp"
#include "cli/bench.hpp"
#include "cli/cli.hpp"
#include "cli/serve.hpp"
#include "wiring/check_files.hpp"

#include <CLI/CLI.hpp>

#include <string>

int main(int argc, char** argv) {
    using namespace firstcome::cli;

    CLI::App app{"Firstcome sells limited stock first come, first served: exactly once, durably."};
    app.require_subcommand(1);
    app.set_version_flag("--version", "firstcome " + std::string(version()));
    app.footer("Each verb has --help. Documentation: README.md, docs/api.md, docs/operating.md");
    int exit_code = ExitCode::ok;
    add_serve(app, exit_code);
    add_stock(app, exit_code);
    add_stats(app, exit_code);
    add_dlq(app, exit_code);
    add_audit(app, exit_code);
    add_backup(app, exit_code);
    add_bench(app, exit_code);
    add_check_config(app, exit_code, firstcome::wiring::mistakes_in_files);
    add_print_config(app, exit_code);
    add_healthcheck(app, exit_code);
    add_version(app, exit_code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? ExitCode::ok : ExitCode::usage;
    }
    return exit_code;
}
