// src/http/dlq_handler.hpp - what an operator does with dead letters
#pragma once

#include "http/app.hpp"
#include "http/io_thread.hpp"
#include "http/message.hpp"

namespace firstcome::http {

// All of them ask the dead letter desk, whose thread does the work, and need the admin token. Where
// no dead letters are kept they answer 404.

/// GET /api/v1/admin/dlq
Awaitable<Response> list_dead_letters(const Request& request, IoThread& io, App& app);

/// GET /api/v1/admin/dlq/{id}
Awaitable<Response> get_dead_letter(const Request& request, IoThread& io, App& app);

/// POST /api/v1/admin/dlq/{id}/retry
Awaitable<Response> retry_dead_letter(const Request& request, IoThread& io, App& app);

/// POST /api/v1/admin/dlq/{id}/discard
Awaitable<Response> discard_dead_letter(const Request& request, IoThread& io, App& app);

/// POST /api/v1/admin/dlq/redrive
Awaitable<Response> post_redrive(const Request& request, IoThread& io, App& app);

/// GET /api/v1/admin/dlq/redrive
Awaitable<Response> list_redrives(const Request& request, IoThread& io, App& app);

/// GET /api/v1/admin/dlq/redrive/{task}
Awaitable<Response> get_redrive(const Request& request, IoThread& io, App& app);

/// DELETE /api/v1/admin/dlq/redrive/{task}
Awaitable<Response> cancel_redrive(const Request& request, IoThread& io, App& app);

}  // namespace firstcome::http
