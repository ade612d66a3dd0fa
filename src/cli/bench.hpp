// src/cli/bench.hpp - the verb `firstcome bench`: loads a server with orders, then audits what it
// said
#pragma once

namespace CLI {
class App;
}

namespace firstcome::cli {

/// Adds the verb. When it is chosen, parsing the command line also runs it and sets `exit_code`:
/// 0 all well, 1 the audit found a broken promise or connections failed, 2 it could not run,
/// 130 interrupted.
///
/// Thread   main; `exit_code` outlives the parse
CLI::App* add_bench(CLI::App& root, int& exit_code);

}  // namespace firstcome::cli
