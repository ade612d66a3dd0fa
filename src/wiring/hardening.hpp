// src/wiring/hardening.hpp - what the process takes from itself before it reads a secret
#pragma once

#include <string>

namespace firstcome::wiring {

/// Files it makes are its user's alone; it leaves no core dump, and other processes of its user
/// neither trace it nor read its environment: tokens and passwords stay where they are.
///
/// Thread   main, before anything else
/// Source   umask(2), PR_SET_DUMPABLE
void harden_process();

/// What is wrong with the directory's rights; empty: nothing.
[[nodiscard]] std::string complaint_about_directory(const std::string& path);

}  // namespace firstcome::wiring
