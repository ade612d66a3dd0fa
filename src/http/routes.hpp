// src/http/routes.hpp - the table of routes: method, path, handler
// stop 2 of 7 on the path of one order
#pragma once

#include "app/order_lane.hpp"
#include "app/rate_limiter.hpp"
#include "http/executor.hpp"
#include "http/message.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace firstcome::http {

class IoThread;

/// The hot route: no coroutine, no allocation. `submit` sends the order on its way, `answer` turns
/// what came back into a response; between them the session holds the request.
class OrderEndpoint {
public:
    OrderEndpoint() = default;
    OrderEndpoint(const OrderEndpoint&) = delete;
    OrderEndpoint& operator=(const OrderEndpoint&) = delete;
    virtual ~OrderEndpoint() = default;

    /// True: a placement with this `sink` and `ticket` is queued, `response` is untouched.
    /// False: `response` is the answer.
    ///
    /// Thread   any io thread
    [[nodiscard]] virtual bool submit(
        const Request& request, app::ReplySink& sink, std::uint64_t ticket, Response& response
    ) = 0;

    /// `response` comes cleared. Thread: any io thread
    virtual void answer(const Request& request, const app::Reply& reply, Response& response) = 0;
};

/// Answers without waiting for anything. `response` comes cleared. Thread: any io thread
using AnswerNow = std::function<void(const Request& request, Response& response)>;

/// Answers after waiting (await.hpp). The function itself is no coroutine: it calls a free one,
/// `[&app](const Request& r, IoThread& io) { return get_order(r, io, app); }`.
/// The request lives until the answer is given.
using AnswerLater = std::function<Awaitable<Response>(const Request& request, IoThread& io)>;

struct Route {
    Method method = Method::get;
    std::string path;  ///< template, e.g. "/api/v1/orders/{orderId}"; at most two parameters
    std::variant<OrderEndpoint*, AnswerNow, AnswerLater> handler;
    std::size_t body_size_max = std::size_t{64} * 1024;  ///< bytes
    bool admin = false;                                  ///< for openapi; handlers check
    std::string summary = {};                            ///< for openapi
    std::string operation_id = {};                       ///< for openapi
    app::RouteClass limited_as = app::RouteClass::open;  ///< set by Router
    std::uint32_t index = 0;                             ///< set by Router: the row in the figures
};

/// What a path leads to. `route` null and `allow` set: the path exists, the method does not.
struct Match {
    const Route* route = nullptr;
    std::string_view allow;  ///< the Allow field's value; empty: no such path
};

/// Thread   any (immutable)
class Router {
public:
    explicit Router(std::vector<Route> routes);

    /// Fixed paths win over templates. HEAD finds GET's route. Fills `parameters`.
    [[nodiscard]] Match match(
        Method method, std::string_view path, std::array<std::string_view, 2>& parameters
    ) const;

    [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

private:
    struct Path {
        std::string text;
        std::vector<std::string> segments;  // of a template; "" stands for a parameter
        std::array<const Route*, method_count> by_method{};
        std::string allow;
    };

    [[nodiscard]] static Match pick(const Path& path, Method method);
    Path& path_of(const std::string& text);

    std::vector<Route> routes_;
    std::vector<Path> fixed_;
    std::vector<Path> templates_;
};

}  // namespace firstcome::http
