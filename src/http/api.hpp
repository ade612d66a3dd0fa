// src/http/api.hpp - the table of everything the service answers
#pragma once

#include "http/app.hpp"
#include "http/routes.hpp"

#include <vector>

namespace firstcome::http {

/// The routes, with /openapi.json made from the same rows.
///
/// Thread   main; `app` and `orders` outlive the routes
[[nodiscard]] std::vector<Route> api_routes(App& app, OrderEndpoint& orders);

}  // namespace firstcome::http
