// src/cli/audit.cpp - the verb `firstcome audit`: checks a data directory against the invariants
#include "cli/audit.hpp"

#include <CLI/CLI.hpp>

namespace firstcome::cli {

void add_audit(CLI::App& app, int& exit_code) {
    CLI::App* verb = app.add_subcommand("audit", "Check a data directory against the invariants");
    verb->callback([&exit_code] { exit_code = 2; });
}

}  // namespace firstcome::cli
