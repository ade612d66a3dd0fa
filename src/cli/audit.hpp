// src/cli/audit.hpp - the verb `firstcome audit`: checks what is stored against the invariants
#pragma once

namespace CLI {
class App;
}

namespace firstcome::cli {

/// Exit codes: 0 all hold, 1 something is broken (each finding is printed), 2 could not look.
///
/// Thread   main; `exit_code` outlives the parse
void add_audit(CLI::App& app, int& exit_code);

}  // namespace firstcome::cli
