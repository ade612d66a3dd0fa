// src/http/alerts_handler.hpp - the alerts of the built-in rules, as they are now
#pragma once

#include "http/app.hpp"
#include "http/message.hpp"

namespace firstcome::http {

/// GET /api/v1/admin/alerts
void get_alerts(const Request& request, Response& response, App& app);

}  // namespace firstcome::http
