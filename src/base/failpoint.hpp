// src/base/failpoint.hpp - named places where a test may kill, halt or slow the process
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::base {

/// True only when a test has armed a failpoint: one relaxed read is all that the others cost.
extern std::atomic<bool> failpoints_armed;

/// Does what was armed for this name, if anything.
void failpoint_reached(std::string_view name);

/// Arms from a text such as `before_commit=kill@25,before_reply=stop`: at the 25th passage SIGKILL,
/// at the first SIGSTOP; `freeze` stops the passing thread for ever; `before_commit=10ms`: each
/// passage takes so long, as on a slow disk. Returns what is wrong with the text, if anything.
///
/// Thread   main, before others start
[[nodiscard]] std::optional<std::string> arm_failpoints(std::string_view text);

inline void failpoint(std::string_view name) {
    if (failpoints_armed.load(std::memory_order_relaxed)) failpoint_reached(name);
}

}  // namespace firstcome::base
