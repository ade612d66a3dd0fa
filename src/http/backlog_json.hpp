// src/http/backlog_json.hpp - what waits and what was refused, as the stats page shows it
#pragma once

#include "http/app.hpp"

#include <string>

namespace firstcome::http {

/// Appends `,"outbox":{..},"dlq":{..},"troubles":[..]`.
///
/// Thread   any; never waits
void append_backlog(std::string& out, const App& app);

}  // namespace firstcome::http
