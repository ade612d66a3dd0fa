// src/wiring/check_files.hpp - would the files be taken that a configuration names?
#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace firstcome::wiring {

/// Reads them as a start would, and starts nothing: no file is made, nobody is asked.
///
/// Returns  what is wrong, each a sentence for the operator; never a secret
/// Thread   main
[[nodiscard]] std::vector<std::string> mistakes_in_files(const config::Config& config);

}  // namespace firstcome::wiring
