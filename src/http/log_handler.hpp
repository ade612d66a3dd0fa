// src/http/log_handler.hpp - how much is logged, seen and changed while serving
#pragma once

#include "http/app.hpp"
#include "http/message.hpp"

namespace firstcome::http {

/// GET /api/v1/admin/log-level
void get_log_level(const Request& request, Response& response, App& app);

/// PUT and POST /api/v1/admin/log-level; until the next change, restart or reload.
void set_log_level(const Request& request, Response& response, App& app);

}  // namespace firstcome::http
