// src/telemetry/log_line.hpp - a happening as one line of text; pure, so that tests can read it
#pragma once

#include "base/time.hpp"
#include "telemetry/log.hpp"

#include <span>
#include <string>
#include <string_view>

namespace firstcome::log {

struct Record {
    base::WallTime at;
    Level level = Level::info;
    std::string_view message;
    std::string_view thread;
    std::span<const Field> fields;
};

/// `{"ts":"2025-11-22T11:22:33.444Z","level":"info","msg":"...","thread":"main","orders":3}`
///
/// Exactly one line of valid UTF-8 whatever is put in: control characters are escaped, broken UTF-8
/// becomes U+FFFD, and a field that takes one of the four names above gets a `_` behind it.
[[nodiscard]] std::string json_line(const Record& record);

/// `11:22:33.444 INFO  main  recovered  orders=3 why="no room"`
[[nodiscard]] std::string text_line(const Record& record);

}  // namespace firstcome::log
