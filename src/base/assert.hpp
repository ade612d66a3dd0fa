// src/base/assert.hpp - assertions that stay on in release builds
#pragma once

#include <source_location>

namespace firstcome::base {

/// Says which promise of our own code was broken and stops the process: going on could sell a unit
/// twice.
///
/// Thread   any
[[noreturn]] void assertion_failed(
    const char* what, std::source_location where = std::source_location::current()
);

}  // namespace firstcome::base

/// For programmer errors only: bad input and faults are values. One condition each.
#define FC_ASSERT(condition) \
    (static_cast<bool>(condition) ? void(0) : ::firstcome::base::assertion_failed(#condition))

#define FC_UNREACHABLE() ::firstcome::base::assertion_failed("unreachable")
