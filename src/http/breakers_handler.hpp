// src/http/breakers_handler.hpp - the circuit breakers, seen and turned by hand
#pragma once

#include "http/app.hpp"
#include "http/message.hpp"

#include <string>

namespace firstcome::http {

/// GET /api/v1/admin/breakers
void get_breakers(const Request& request, Response& response, App& app);

/// POST /api/v1/admin/breakers/{name}/open
void open_breaker(const Request& request, Response& response, App& app);

/// POST /api/v1/admin/breakers/{name}/close
void close_breaker(const Request& request, Response& response, App& app);

/// POST /api/v1/admin/breakers/{name}/reset
void reset_breaker(const Request& request, Response& response, App& app);

/// Appends all of them as a JSON array; empty where nothing is guarded.
void append_breakers(std::string& out, const App& app);

}  // namespace firstcome::http
