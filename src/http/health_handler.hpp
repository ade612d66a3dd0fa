// src/http/health_handler.hpp - is it alive, is it ready, what does it measure
#pragma once

#include "http/app.hpp"
#include "http/message.hpp"

namespace firstcome::http {

/// GET /livez: the event loops and lanes move. Nothing outside this process is asked.
void get_livez(const Request& request, Response& response, App& app);

/// GET /readyz: ready to take connections; not while starting or draining.
void get_readyz(const Request& request, Response& response, App& app);

/// GET /startupz: the start is over.
void get_startupz(const Request& request, Response& response, App& app);

/// GET /metrics
void get_metrics(const Request& request, Response& response, App& app);

}  // namespace firstcome::http
