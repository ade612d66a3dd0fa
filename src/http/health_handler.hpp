// src/http/health_handler.hpp - is it alive, is it ready, how are its parts, what does it measure
#pragma once

#include "http/app.hpp"
#include "http/message.hpp"

namespace firstcome::http {

/// GET /livez: event loops and lanes move; nothing else is looked at.
void get_livez(const Request& request, Response& response, App& app);
/// GET /readyz: wants connections; not while starting or draining.
void get_readyz(const Request& request, Response& response, App& app);
/// GET /startupz: the start is over.
void get_startupz(const Request& request, Response& response, App& app);

/// GET /actuator/health: what all components come to; each of them for who has the admin token.
///
/// Source   Spring Boot Actuator, "Health information"
void get_health(const Request& request, Response& response, App& app);
/// GET /actuator/health/{component}: of a component or a group.
void get_health_of(const Request& request, Response& response, App& app);

/// GET /metrics
void get_metrics(const Request& request, Response& response, App& app);

}  // namespace firstcome::http
