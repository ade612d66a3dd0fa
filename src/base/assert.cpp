// src/base/assert.cpp - the last words of a process whose own code broke a promise
#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace firstcome::base {

void assertion_failed(const char* what, std::source_location where) {
    std::fprintf(
        stderr,
        "firstcome: assertion failed: %s at %s:%u in %s\n",
        what,
        where.file_name(),
        static_cast<unsigned>(where.line()),
        where.function_name()
    );
    std::abort();
}

}  // namespace firstcome::base
