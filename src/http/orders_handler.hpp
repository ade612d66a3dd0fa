// src/http/orders_handler.hpp - orders: JSON in, answer out; no rules
// stop 3 of 7 on the path of one order
#pragma once

#include "http/app.hpp"
#include "http/io_thread.hpp"
#include "http/message.hpp"
#include "http/routes.hpp"

#include <cstdint>

namespace firstcome::http {

/// POST /api/v1/orders.
///
/// Thread   any io thread; `app` outlives this
class PlaceOrderEndpoint final : public OrderEndpoint {
public:
    explicit PlaceOrderEndpoint(App& app) : app_(app) {}

    [[nodiscard]] bool submit(
        const Request& request, app::ReplySink& sink, std::uint64_t ticket, Response& response
    ) override;
    void answer(const Request& request, const app::Reply& reply, Response& response) override;

private:
    App& app_;
};

/// POST /api/v1/orders:batch: each order stands alone and is answered in its place.
Awaitable<Response> post_order_batch(const Request& request, IoThread& io, App& app);

/// GET /api/v1/orders/{orderId}
Awaitable<Response> get_order(const Request& request, IoThread& io, App& app);

/// GET /api/v1/orders?userId=
Awaitable<Response> list_orders(const Request& request, IoThread& io, App& app);

/// GET /api/v1/orders/count
void count_orders(const Request& request, Response& response, App& app);

/// GET /api/v1/orders/stock/{itemId}
void get_stock(const Request& request, Response& response, App& app);

}  // namespace firstcome::http
