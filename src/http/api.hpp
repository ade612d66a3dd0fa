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

/// Who a route is for, where each has a listener of its own. Without admin.listen the public one
/// serves operators too; health.listen is for probes alone.
struct Audience {
    bool buyers = false;
    bool operators = false;
    bool probes = false;
};

[[nodiscard]] Audience audience_of(std::string_view path);

}  // namespace firstcome::http
