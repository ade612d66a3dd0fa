// src/http/api.hpp - the table of everything the service answers
#pragma once

#include "http/app.hpp"
#include "http/routes.hpp"

#include <string_view>
#include <vector>

namespace firstcome::http {

/// The routes, with /openapi.json made from the same rows.
///
/// Thread   main; `app` and `orders` outlive the routes
[[nodiscard]] std::vector<Route> api_routes(App& app, OrderEndpoint& orders);

/// Whether a route is for operators: with admin.listen it is served there and nowhere else.
[[nodiscard]] bool is_for_operators(std::string_view path);

/// Whether a route is for whoever watches over the process; served on both listeners.
[[nodiscard]] bool is_for_probes(std::string_view path);

}  // namespace firstcome::http
