// src/cli/bench_cpu.hpp - what a process has cost so far
#pragma once

#include <chrono>
#include <optional>

namespace firstcome::cli {

/// User and system time of a process so far; nothing when there is none.
///
/// Source   proc(5), stat; 10 ms steps
[[nodiscard]] std::optional<std::chrono::nanoseconds> cpu_of_process(int pid);
[[nodiscard]] std::chrono::nanoseconds cpu_of_this_process();

}  // namespace firstcome::cli
