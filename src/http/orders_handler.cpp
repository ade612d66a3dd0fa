// src/http/orders_handler.cpp - orders: JSON in, answer out; no rules
#include "http/orders_handler.hpp"

#include "http/answers.hpp"
#include "http/await.hpp"
#include "http/deadline.hpp"
#include "http/gate.hpp"
#include "http/idempotency_key.hpp"
#include "http/json.hpp"
#include "http/order_json.hpp"
#include "http/problem.hpp"
#include "http/query_string.hpp"
#include "http/request_trace.hpp"
#include "http/stock_json.hpp"

#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <variant>

// g++ 12 may inline the one of Asio's frame allocation and deallocation and not the other, and then
// takes them for a mismatched pair.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace firstcome::http {

namespace {

constexpr std::string_view not_your_name =
    "Your token names another user; order and ask in your own name only.";

using Buyer = std::optional<domain::UserId>;

/// Whom the request's token names. Nobody: the service asks for none (auth.mode = none).
std::expected<Buyer, Problem> buyer_of(const Request& request, const App& app) {
    if (app.buyers == nullptr) return Buyer{};
    const auto token = bearer_token(request.authorization);
    if (!token) {
        return std::unexpected(problem(ProblemCode::unauthorized, sentence(TokenFault::missing)));
    }
    const auto buyer = app.buyers->buyer_of(*token);
    if (!buyer) return std::unexpected(invalid_token(sentence(buyer.error())));
    return Buyer{*buyer};
}

const domain::UserId* pointer_to(const Buyer& buyer) {
    return buyer ? &*buyer : nullptr;
}

bool is_another(const Buyer& buyer, const domain::UserId& user) {
    return buyer && *buyer != user;
}

/// What a query that should not be there is answered with; nothing: there is none.
std::optional<Problem> refused_query(const Request& request) {
    if (request.query.empty()) return std::nullopt;
    auto none = parse_query(request.query, {});
    if (none) return std::nullopt;
    return problem(std::move(none.error()));
}

/// The order a request asks for, with its key; else why it cannot be taken.
std::expected<domain::OrderRequest, Problem> order_of(const Request& request, const App& app) {
    const auto buyer = buyer_of(request, app);
    if (!buyer) return std::unexpected(buyer.error());
    if (!is_json(request.content_type)) {
        return std::unexpected(problem(ProblemCode::unsupported_media_type));
    }
    if (auto refused = refused_query(request)) return std::unexpected(std::move(*refused));
    auto order = parse_order(request.body, app.options.quantity_max, pointer_to(*buyer));
    if (!order) return std::unexpected(problem(std::move(order.error())));
    if (is_another(*buyer, order->user)) {
        return std::unexpected(problem(ProblemCode::forbidden, not_your_name));
    }
    order->trace = trace_of_order(request);
    if (request.idempotency_key_count == 0) {
        if (app.options.key_required) {
            return std::unexpected(problem(ProblemCode::idempotency_key_missing));
        }
        return *order;
    }
    const auto key = parse_idempotency_key(request.idempotency_key, request.idempotency_key_count);
    if (!key) return std::unexpected(problem(key.error()));
    order->key = app.hash.hash128(order->user.text(), *key);
    return *order;
}

void answer_accepted(const domain::Accepted& accepted, Response& response) {
    response.status = 202;
    response.content_type = json_content_type;
    response.headers.append("Location: ");
    append_order_location(response.headers, accepted.order.id);
    response.headers.append("\r\n");
    if (accepted.replayed) response.headers.append("Idempotent-Replayed: true\r\n");
    append_order(response.body, accepted.order);
}

/// Why one more order of the user must wait; nothing where no user is held to a rate.
std::optional<Problem> refused_by_gate(
    const Request& request, const domain::UserId& user, const App& app
) {
    if (app.gate == nullptr) return std::nullopt;
    return app.gate->refuse_order(request, user.text());
}

/// What the status of a stored order is told by: it changes at most once.
std::string etag_of(const domain::Order& order) {
    return "\"" + std::to_string(order.sequence) + "-" + std::string(name(order.status)) + "\"";
}

/// If-None-Match: `*`, or a list in which weak tags count too (RFC 9110, section 13.1.2). Our tags
/// hold no comma, so a search for the quoted whole is exact.
bool names_tag(std::string_view condition, std::string_view etag) {
    return condition == "*" || condition.find(etag) != std::string_view::npos;
}

}  // namespace

bool PlaceOrderEndpoint::submit(
    const Request& request, app::ReplySink& sink, std::uint64_t ticket, Response& response
) {
    const auto order = order_of(request, app_);
    if (!order) {
        answer_problem(request, order.error(), response);
        return false;
    }
    const auto deadline = deadline_of(request);
    if (!deadline) {
        answer_problem(request, deadline.error(), response);
        return false;
    }
    if (const auto refused = refused_by_gate(request, order->user, app_)) {
        answer_problem(request, *refused, response);
        return false;
    }
    const auto shed = app_.place_order.submit(
        {.request = *order,
         .sink = &sink,
         .ticket = ticket,
         .arrived = request.arrived,
         .deadline = *deadline}
    );
    if (!shed) return true;
    answer_problem(request, problem(*shed, chance_of(request)), response);
    return false;
}

void PlaceOrderEndpoint::answer(
    const Request& request, const app::Reply& reply, Response& response
) {
    if (!reply) {
        return answer_problem(request, problem(reply.error(), chance_of(request)), response);
    }
    if (const auto* yes = std::get_if<domain::Accepted>(&*reply)) {
        return answer_accepted(*yes, response);
    }
    answer_problem(request, problem(std::get<domain::Rejected>(*reply)), response);
}

Awaitable<Response> post_order_batch(const Request& request, IoThread& io, App& app) {
    const auto buyer = buyer_of(request, app);
    if (!buyer) co_return problem_response(request, buyer.error());
    if (!is_json(request.content_type)) {
        co_return problem_response(request, problem(ProblemCode::unsupported_media_type));
    }
    if (const auto refused = refused_query(request)) co_return problem_response(request, *refused);
    auto batch = parse_batch(request.body, app.options.quantity_max, pointer_to(*buyer));
    if (!batch) co_return problem_response(request, problem(std::move(batch.error())));
    const auto deadline = deadline_of(request);
    if (!deadline) co_return problem_response(request, deadline.error());

    const std::size_t size = batch->elements.size();
    OrderGather gather{io, size};
    std::vector<std::optional<Problem>> refused(size);
    for (std::size_t i = 0; i < size; ++i) {
        BatchElement& element = batch->elements[i];
        if (!element.order) {
            refused[i] = problem(std::move(element.order.error()));
            continue;
        }
        if (is_another(*buyer, element.order->user)) {
            refused[i] = problem(ProblemCode::forbidden, not_your_name);
            continue;
        }
        if (element.key.empty() && app.options.key_required) {
            refused[i] = problem(ProblemCode::idempotency_key_missing);
            continue;
        }
        domain::OrderRequest& order = *element.order;
        refused[i] = refused_by_gate(request, order.user, app);
        if (refused[i]) continue;
        order.trace = trace_of_batch(request);
        if (!element.key.empty()) order.key = app.hash.hash128(order.user.text(), element.key);
        const auto shed = app.place_order.submit(
            {.request = order,
             .sink = &gather.sink(),
             .ticket = gather.ticket(i),
             .arrived = request.arrived,
             .deadline = *deadline}
        );
        if (shed) {
            refused[i] = problem(*shed, chance_of(request));
        } else {
            gather.expect_one();
        }
    }
    co_await gather.all(io.clock().monotonic() + io.options().timeouts.reply);

    Response response;
    response.content_type = json_content_type;
    const std::string trace_id = request.trace_id();
    const ProblemContext context{.instance = request.path_as_sent, .trace_id = trace_id};
    BatchAnswer answer{response.body};
    for (std::size_t i = 0; i < size; ++i) {
        if (refused[i]) {
            answer.refused(*refused[i], context);
            continue;
        }
        const auto& reply = gather.reply(i);
        if (!reply) {
            io.figures().reply_timeouts.add();
            const auto unknown = ports::LedgerError::outcome_unknown;
            answer.refused(problem(unknown, chance_of(request)), context);
        } else if (!*reply) {
            answer.refused(problem(reply->error(), chance_of(request)), context);
        } else if (const auto* yes = std::get_if<domain::Accepted>(&**reply)) {
            answer.accepted(*yes);
        } else {
            answer.refused(problem(std::get<domain::Rejected>(**reply)), context);
        }
    }
    answer.close();
    co_return response;
}

Awaitable<Response> get_order(const Request& request, IoThread& io, App& app) {
    const auto buyer = buyer_of(request, app);
    if (!buyer) co_return problem_response(request, buyer.error());
    const auto id = domain::OrderId::from(request.parameters[0]);
    if (!id) co_return problem_response(request, problem(ProblemCode::order_not_found));
    if (const auto refused = refused_query(request)) co_return problem_response(request, *refused);
    auto ask = [&app, id = *id](std::move_only_function<void(app::FindReply)> done) {
        return app.find_order.find(id, std::move(done));
    };
    const auto deadline = io.clock().monotonic() + io.options().timeouts.reply;
    StartCall<app::FindReply> start{std::move(ask)};
    const auto found = co_await await_call<app::FindReply>(io, deadline, std::move(start));
    if (!found) co_return problem_response(request, problem_of_read(found.error(), request));
    if (!*found) {
        co_return problem_response(request, problem(found->error(), chance_of(request)));
    }
    // Somebody else's order is not told from one that never was.
    if (!**found || is_another(*buyer, (**found)->user)) {
        co_return problem_response(request, problem(ProblemCode::order_not_found));
    }

    const domain::Order& order = ***found;
    Response response;
    const std::string etag = etag_of(order);
    response.add_header("ETag", etag);
    if (names_tag(request.if_none_match, etag)) {
        response.status = 304;
        co_return response;
    }
    response.content_type = json_content_type;
    append_order(response.body, order);
    co_return response;
}

Awaitable<Response> list_orders(const Request& request, IoThread& io, App& app) {
    const auto buyer = buyer_of(request, app);
    if (!buyer) co_return problem_response(request, buyer.error());
    auto query = parse_order_query(request.query, pointer_to(*buyer));
    if (!query) co_return problem_response(request, problem(std::move(query.error())));
    if (is_another(*buyer, query->user)) {
        co_return problem_response(request, problem(ProblemCode::forbidden, not_your_name));
    }
    auto ask = [&app, query = *query](std::move_only_function<void(app::ListReply)> done) {
        return app.find_order.list(query, std::move(done));
    };
    const auto deadline = io.clock().monotonic() + io.options().timeouts.reply;
    StartCall<app::ListReply> start{std::move(ask)};
    const auto page = co_await await_call<app::ListReply>(io, deadline, std::move(start));
    if (!page) co_return problem_response(request, problem_of_read(page.error(), request));
    if (!*page) co_return problem_response(request, problem(page->error(), chance_of(request)));
    Response response;
    response.content_type = json_content_type;
    append_order_page(response.body, **page);
    co_return response;
}

void count_orders(const Request& request, Response& response, App& app) {
    auto item = parse_item_query(request.query);
    if (!item) return answer_problem(request, problem(std::move(item.error())), response);
    response.content_type = json_content_type;
    append_count(response.body, app.stock_desk.count(*item));
}

void get_stock(const Request& request, Response& response, App& app) {
    const auto item = domain::ItemId::from(request.parameters[0]);
    if (!item) return answer_problem(request, problem(ProblemCode::item_not_found), response);
    const auto figures = app.stock_desk.stock(*item);
    if (!figures) return answer_problem(request, problem(ProblemCode::item_not_found), response);
    response.content_type = json_content_type;
    const bool current = app.stock_desk.is_current(*item);
    append_stock(response.body, *figures, current ? Freshness::current : Freshness::last_known);
}

}  // namespace firstcome::http
