// src/cli/bench_run.hpp - one run: prepare the item, load the server, audit, report
#pragma once

#include "cli/bench_options.hpp"

namespace firstcome::cli {

/// Prints the summary and returns the program's exit code, see add_bench(). SIGINT and SIGTERM end
/// the load early, and what was seen so far is audited and printed; a second signal ends the
/// process.
///
/// Thread   main
[[nodiscard]] int run_bench(BenchOptions options);

}  // namespace firstcome::cli
