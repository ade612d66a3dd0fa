// src/cli/bench.hpp - the verb `firstcome bench`: loads a server, then audits it
#pragma once

namespace CLI {
class App;
}

namespace firstcome::cli {

/// Adds the verb. When it is chosen, parsing the command line also runs it and sets `exit_code`:
/// ExitCode::ok all well, failed: a broken promise, or connections failed; 130 interrupted; the
/// others when there was no run.
///
/// Thread   main; `exit_code` outlives the parse
CLI::App* add_bench(CLI::App& root, int& exit_code);

}  // namespace firstcome::cli
