// src/http/admin_handler.hpp - what a sale manager asks: stock, figures, do they add up
#pragma once

#include "http/app.hpp"
#include "http/io_thread.hpp"
#include "http/message.hpp"

#include <optional>

namespace firstcome::http {

/// Who asks. Nobody: `response` is the answer (401 without a token of ours, 403 when it has not the
/// scope, or a client certificate is missing).
[[nodiscard]] std::optional<Admin> require_admin(
    const Request& request, Response& response, const App& app, AdminScope wanted = AdminScope::all
);

/// POST /api/v1/admin/stock
Awaitable<Response> post_stock(const Request& request, IoThread& io, App& app);

/// GET /api/v1/admin/stats
void get_stats(const Request& request, Response& response, App& app);

/// GET /api/v1/admin/audit/conservation
void get_conservation(const Request& request, Response& response, App& app);

}  // namespace firstcome::http
