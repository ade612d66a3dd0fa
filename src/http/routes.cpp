// src/http/routes.cpp - the table of routes: method, path, handler
#include "http/routes.hpp"

#include "base/assert.hpp"
#include "http/rate_gate.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::http {
namespace {

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> segments;
    FC_ASSERT(path.starts_with('/'));
    path.remove_prefix(1);
    while (true) {
        const auto slash = std::min(path.find('/'), path.size());
        segments.emplace_back(path.substr(0, slash));
        if (slash == path.size()) return segments;
        path.remove_prefix(slash + 1);
    }
}

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

/// Fills `parameters`; false when the path is another one. A parameter is never empty.
bool fits(
    const std::vector<std::string>& segments,
    std::string_view path,
    std::array<std::string_view, 2>& parameters
) {
    std::size_t filled = 0;
    for (const std::string& segment : segments) {
        if (!path.starts_with('/')) return false;
        path.remove_prefix(1);
        const std::string_view text = path.substr(0, path.find('/'));
        path.remove_prefix(text.size());
        if (!segment.empty()) {
            if (segment != text) return false;
            continue;
        }
        if (text.empty()) return false;
        parameters[filled++] = text;
    }
    return path.empty();
}

}  // namespace

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        Route& route = routes_[i];
        FC_ASSERT(route.method != Method::other && route.method != Method::head);
        route.index = static_cast<std::uint32_t>(i);
        route.limited_as = route_class(route.method, route.path);
        Path& path = path_of(route.path);
        auto& cell = path.by_method[static_cast<std::size_t>(route.method)];
        FC_ASSERT(cell == nullptr);
        cell = &route;
        if (route.method == Method::get) {
            path.by_method[static_cast<std::size_t>(Method::head)] = &route;
        }
    }
    for (auto* paths : {&fixed_, &templates_}) {
        for (Path& path : *paths) {
            for (std::size_t i = 0; i < method_count; ++i) {
                if (path.by_method[i] == nullptr) continue;
                path.allow.append(name(static_cast<Method>(i))).append(", ");
            }
            path.allow += "OPTIONS";
        }
    }
}

Router::Path& Router::path_of(const std::string& text) {
    for (auto* paths : {&fixed_, &templates_}) {
        for (Path& path : *paths) {
            if (path.text == text) return path;
        }
    }
    Path path{.text = text, .segments = split(text), .by_method = {}, .allow = {}};
    std::size_t parameters = 0;
    for (std::string& segment : path.segments) {
        if (!is_parameter(segment)) continue;
        segment.clear();
        ++parameters;
    }
    FC_ASSERT(parameters <= 2);
    auto& paths = parameters == 0 ? fixed_ : templates_;
    return paths.emplace_back(std::move(path));
}

Match Router::pick(const Path& path, Method method) {
    return {.route = path.by_method[static_cast<std::size_t>(method)], .allow = path.allow};
}

Match Router::match(
    Method method, std::string_view path, std::array<std::string_view, 2>& parameters
) const {
    for (const Path& fixed : fixed_) {
        if (fixed.text == path) return pick(fixed, method);
    }
    for (const Path& candidate : templates_) {
        if (fits(candidate.segments, path, parameters)) return pick(candidate, method);
    }
    parameters = {};
    return {};
}

}  // namespace firstcome::http
