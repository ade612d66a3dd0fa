// src/cli/serve.hpp - the verb `firstcome serve`
#pragma once

namespace CLI {
class App;
}

namespace firstcome::cli {

/// Thread   main; `exit_code` outlives the parse
void add_serve(CLI::App& app, int& exit_code);

}  // namespace firstcome::cli
