// src/http/session.cpp - one connection: read, route, write; limits and deadlines
#include "http/session.hpp"

#include "base/assert.hpp"
#include "http/gate.hpp"
#include "http/request_trace.hpp"
#include "http/tls.hpp"
#include "telemetry/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <tuple>
#include <utility>

namespace firstcome::http {
namespace {

/// An output buffer is worth to be kept from here on.
constexpr std::size_t output_size_min = std::size_t{4} * 1024;
/// Beyond this the answers of one read are sent in more than one write.
constexpr std::size_t output_size_max = std::size_t{256} * 1024;
/// Pipelined requests that wait for one before them; beyond it they are answered first.
constexpr std::size_t pending_max = 256;

/// Pipelined requests that are answered at once before the others of this thread have their turn.
constexpr std::size_t answered_in_a_row_max = 32;

/// What a reader must take, bytes per second, beyond the time every answer has.
constexpr std::size_t output_rate_min = std::size_t{64} * 1024;

constexpr auto quietly = asio::as_tuple(asio::deferred);

std::string what_of(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "not a std::exception";
    }
}

/// Behind a 500 is a bug of ours, or no memory: the client is told no more than that, so the reason
/// must be here. Where there is no memory for the line either, the request still gets its answer.
void log_fault(const Request& request, const std::exception_ptr& failure) noexcept {
    try {
        const RequestScope scope{request};
        log::error(
            "a request failed",
            {{"method", name(request.method)},
             {"route", request.route->path},
             {"reason", what_of(failure)}}
        );
    } catch (...) {
        std::fputs("firstcome: a request failed, and to log why as well\n", stderr);
    }
}

std::string_view status_line(unsigned status) {
    switch (status) {
        case 200: return "HTTP/1.1 200 OK\r\n";
        case 201: return "HTTP/1.1 201 Created\r\n";
        case 202: return "HTTP/1.1 202 Accepted\r\n";
        case 204: return "HTTP/1.1 204 No Content\r\n";
        case 304: return "HTTP/1.1 304 Not Modified\r\n";
        case 400: return "HTTP/1.1 400 Bad Request\r\n";
        case 401: return "HTTP/1.1 401 Unauthorized\r\n";
        case 403: return "HTTP/1.1 403 Forbidden\r\n";
        case 404: return "HTTP/1.1 404 Not Found\r\n";
        case 405: return "HTTP/1.1 405 Method Not Allowed\r\n";
        case 408: return "HTTP/1.1 408 Request Timeout\r\n";
        case 409: return "HTTP/1.1 409 Conflict\r\n";
        case 410: return "HTTP/1.1 410 Gone\r\n";
        case 413: return "HTTP/1.1 413 Content Too Large\r\n";
        case 414: return "HTTP/1.1 414 URI Too Long\r\n";
        case 415: return "HTTP/1.1 415 Unsupported Media Type\r\n";
        case 417: return "HTTP/1.1 417 Expectation Failed\r\n";
        case 422: return "HTTP/1.1 422 Unprocessable Content\r\n";
        case 429: return "HTTP/1.1 429 Too Many Requests\r\n";
        case 431: return "HTTP/1.1 431 Request Header Fields Too Large\r\n";
        case 500: return "HTTP/1.1 500 Internal Server Error\r\n";
        case 503: return "HTTP/1.1 503 Service Unavailable\r\n";
        case 504: return "HTTP/1.1 504 Gateway Timeout\r\n";
        case 505: return "HTTP/1.1 505 HTTP Version Not Supported\r\n";
        default: return {};
    }
}

void append_status_line(std::string& out, unsigned status) {
    const std::string_view known = status_line(status);
    if (!known.empty()) {
        out += known;
        return;
    }
    FC_ASSERT(status >= 200 && status <= 599);
    out.append("HTTP/1.1 ").append(std::to_string(status)).append(" \r\n");
}

void append_number(std::string& out, std::size_t number) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    out.append(digits.data(), end.ptr);
}

// Where the next message begins is not known any more, so the connection ends with the answer.
bool is_framing_fault(ProblemCode why) {
    return why == ProblemCode::malformed_request || why == ProblemCode::uri_too_long ||
           why == ProblemCode::headers_too_large || why == ProblemCode::expectation_failed ||
           why == ProblemCode::version_not_supported;
}

}  // namespace

void write_response(
    std::string& out, const Exchange& exchange, const Response& response, std::string_view date_line
) {
    append_status_line(out, response.status);
    out += date_line;
    if (!response.content_type.empty()) {
        out.append("Content-Type: ").append(response.content_type).append("\r\n");
    }
    const bool may_have_body = response.status != 204 && response.status != 304;
    if (may_have_body) {
        out += "Content-Length: ";
        append_number(out, response.body.size());
        out += "\r\n";
    }
    out.append("X-Request-Id: ").append(exchange.request.id.text()).append("\r\n");
    append_limit(out, exchange.request, response.status);
    if (!exchange.keep_alive) out += "Connection: close\r\n";
    if (exchange.keep_alive && exchange.says_keep_alive) out += "Connection: keep-alive\r\n";
    out += response.headers;
    out += "\r\n";
    if (may_have_body && exchange.request.method != Method::head) out += response.body;
}

Session::Session(IoThread& io, Socket socket, PeerAddress peer)
    : io_(io),
      socket_(std::move(socket)),
      peer_(peer),
      reader_(io.options().limits, io.router(), io.buffers()),
      answers_(io) {
    now_ = waits_since_ = io_.clock().monotonic();
    io_.watch(*this);
}

Session::~Session() {
    io_.unwatch(*this);
    while (first_pending_ != nullptr) {
        Exchange& exchange = *std::exchange(first_pending_, first_pending_->next);
        if (exchange.ticket != 0) io_.close_ticket(exchange.ticket);
        io_.give_back(exchange);
    }
    if (held_ != nullptr) io_.give_back(*held_);
    release_output();
    io_.session_ended(*this);
}

bool Session::secure(TlsContext& context) {
    tls_ = TlsStream::over(socket_, context);
    return tls_ != nullptr;
}

Awaitable<bool> Session::shake_hands() {
    deadline_ = now_ + io_.options().timeouts.header;
    reading_ = true;
    const auto error = co_await tls_->shake_hands();
    reading_ = false;
    deadline_ = base::MonotonicTime::max();
    now_ = io_.clock().monotonic();
    if (!error) {
        certified_ = tls_->is_certified();
        co_return true;
    }
    if (timed_out_) io_.figures().deadline_closes.add();
    broken_ = !is_plain_http(error);
    if (broken_) co_return false;
    // Whoever forgot the s of https is told so, in words they understand.
    tls_.reset();
    refuse(io_.take_exchange(), ProblemCode::malformed_request);
    static_cast<void>(send_now());
    co_return false;
}

Session::Next Session::advance() {
    // Cut while it waited or gave way: nobody would hear of what is begun now.
    if (broken_) return Next::leave;
    while (keep_alive_ && reader_.has_bytes()) {
        if (out_.size() >= output_size_max || pending_ >= pending_max) return Next::flush;
        if (answered_in_a_row_ >= answered_in_a_row_max) return Next::flush;
        Exchange& exchange = io_.take_exchange();
        Framing framing;
        const auto whole = reader_.read(exchange, framing, now_);
        if (!whole) {
            refuse(exchange, whole.error());
            return Next::leave;
        }
        if (!*whole) return wait_for_more(exchange);
        complete(exchange, framing);
        if (!answer(exchange)) {
            held_ = &exchange;
            return Next::answer_held;
        }
    }
    return keep_alive_ ? Next::read : Next::leave;
}

Session::Next Session::wait_for_more(Exchange& exchange) {
    if (reader_.take_gate_due() && !let_in_early(exchange)) return Next::leave;
    if (!reader_.borrow()) {
        refuse(exchange, ProblemCode::please_wait);
        return Next::leave;
    }
    io_.give_back(exchange);
    return Next::read;
}

bool Session::let_in_early(Exchange& exchange) {
    identify(exchange.request);
    // The rest of the body is not read, so there is no next request.
    exchange.keep_alive = false;
    if (!admitted(exchange)) return false;
    let_in_ = {.client = exchange.request.client, .limit = exchange.request.limit};
    return true;
}

void Session::identify(Request& request) {
    request.peer = request.client = peer_;
    request.certified = certified_;
    request.arrived = now_;
    if (request.id.text().empty()) request.id.make(io_.ids().next());
    if ((request.trace.trace_high | request.trace.trace_low) == 0) {
        request.trace.trace_high = io_.ids().next();
        request.trace.trace_low = io_.ids().next();
    }
    if (auto* trace = io_.options().trace) trace->begin(request);
}

void Session::complete(Exchange& exchange, const Framing& framing) {
    identify(exchange.request);
    if (let_in_) {
        exchange.let_in = true;
        exchange.request.client = let_in_->client;
        exchange.request.limit = let_in_->limit;
        let_in_.reset();
    }
    exchange.keep_alive = framing.keep_alive && !io_.draining();
    exchange.says_keep_alive = framing.http_1_0;
}

bool Session::answer(Exchange& exchange) {
    Request& request = exchange.request;
    if (request.route == nullptr) {
        answer_unrouted(exchange);
        return true;
    }
    if (!admitted(exchange)) return true;
    if (auto* const* orders = std::get_if<OrderEndpoint*>(&request.route->handler)) {
        Response& response = io_.scratch();
        response.clear();
        const std::uint64_t ticket =
            io_.open_ticket(answers_, {&exchange.reply, 1}, &exchange.placed);
        bool queued = false;
        try {
            const RequestScope scope{request};
            queued = (*orders)->submit(request, io_, ticket, response);
        } catch (...) {
            io_.close_ticket(ticket);
            log_fault(request, std::current_exception());
            answer_problem(exchange, ProblemCode::internal);
            return true;
        }
        if (!queued) {
            io_.close_ticket(ticket);
            finish(exchange, response);
            return true;
        }
        exchange.ticket = ticket;
        answers_.expect(1);
        append_pending(exchange);
        return true;
    }
    if (first_pending_ != nullptr || std::holds_alternative<AnswerLater>(request.route->handler)) {
        return false;
    }
    held_ = &exchange;
    answer_held_now();
    return true;
}

bool Session::admitted(Exchange& exchange) {
    Gate* const gate = io_.options().gate;
    if (gate == nullptr || exchange.let_in) return true;
    Response& response = io_.scratch();
    response.clear();
    if (gate->admit(exchange.request, response)) return true;
    finish(exchange, response);
    return false;
}

void Session::answer_unrouted(Exchange& exchange) {
    const Request& request = exchange.request;
    const bool whole_server = request.path == "*";
    if (exchange.allow.empty() && !whole_server)
        return answer_problem(exchange, ProblemCode::not_found);
    if (request.method != Method::options) {
        return answer_problem(exchange, ProblemCode::method_not_allowed);
    }
    Response& response = io_.scratch();
    response.clear();
    response.status = 204;
    response.add_header("Allow", whole_server ? "GET, HEAD, POST, OPTIONS" : exchange.allow);
    finish(exchange, response);
}

void Session::answer_problem(Exchange& exchange, ProblemCode why) {
    Response& response = io_.scratch();
    response.clear();
    io_.options().render_problem(why, exchange.request, response);
    if (why == ProblemCode::method_not_allowed) response.add_header("Allow", exchange.allow);
    finish(exchange, response);
}

void Session::refuse(Exchange& exchange, ProblemCode why) {
    if (is_framing_fault(why)) io_.figures().malformed_requests.add();
    identify(exchange.request);
    exchange.keep_alive = false;
    exchange.says_keep_alive = false;
    answer_problem(exchange, why);
}

bool Session::held_answers_later() const {
    return std::holds_alternative<AnswerLater>(held_->request.route->handler);
}

void Session::answer_held_now() {
    Exchange& exchange = *std::exchange(held_, nullptr);
    Response& response = io_.scratch();
    response.clear();
    try {
        const RequestScope scope{exchange.request};
        std::get<AnswerNow>(exchange.request.route->handler)(exchange.request, response);
    } catch (...) {
        log_fault(exchange.request, std::current_exception());
        return answer_problem(exchange, ProblemCode::internal);
    }
    finish(exchange, response);
}

Awaitable<void> Session::answer_held_later() {
    const AnswerLater& handler = std::get<AnswerLater>(held_->request.route->handler);
    std::exception_ptr failure;
    Response response;
    try {
        response = co_await handler(held_->request, io_);
    } catch (...) {
        failure = std::current_exception();
    }
    Exchange& exchange = *std::exchange(held_, nullptr);
    if (failure != nullptr) {
        log_fault(exchange.request, failure);
        answer_problem(exchange, ProblemCode::internal);
    } else {
        finish(exchange, response);
    }
}

void Session::finish(Exchange& exchange, const Response& response) {
    keep_alive_ = exchange.keep_alive;
    ++answered_in_a_row_;
    const auto now = io_.clock().monotonic();
    if (first_pending_ != nullptr) {
        exchange.written.clear();
        write(exchange.written, exchange, response, now);
        append_pending(exchange);
        return;
    }
    if (out_.capacity() < output_size_min) out_ = io_.take_buffer();
    write(out_, exchange, response, now);
    io_.give_back(exchange);
}

void Session::append_pending(Exchange& exchange) {
    keep_alive_ = exchange.keep_alive;
    exchange.next = nullptr;
    ++pending_;
    if (first_pending_ == nullptr) {
        first_pending_ = &exchange;
    } else {
        last_pending_->next = &exchange;
    }
    last_pending_ = &exchange;
}

void Session::write(
    std::string& out, const Exchange& exchange, const Response& response, base::MonotonicTime now
) {
    const std::size_t before = out.size();
    write_response(out, exchange, response, io_.date_line(now));
    const Request& request = exchange.request;
    const std::size_t route =
        request.route == nullptr ? io_.router().routes().size() : request.route->index;
    io_.figures().count_request(route, response.status, now - request.arrived);
    if (auto* trace = io_.options().trace) trace->end(exchange, response.status, now);
    if (const auto& access = io_.options().access_log; access.on) {
        log_access(access, request, response.status, now - request.arrived, out.size() - before);
    }
}

base::MonotonicTime Session::reply_deadline() const {
    return now_ + io_.options().timeouts.reply;
}

void Session::render_pending() {
    if (first_pending_ == nullptr) return;
    if (out_.capacity() < output_size_min) out_ = io_.take_buffer();
    const auto now = io_.clock().monotonic();
    while (first_pending_ != nullptr) {
        Exchange& exchange = *std::exchange(first_pending_, first_pending_->next);
        if (exchange.ticket == 0) {
            out_ += exchange.written;
            io_.give_back(exchange);
            continue;
        }
        io_.close_ticket(exchange.ticket);
        Response& response = io_.scratch();
        response.clear();
        if (exchange.reply) {
            std::get<OrderEndpoint*>(exchange.request.route->handler)
                ->answer(exchange.request, *exchange.reply, response);
        } else {
            io_.figures().reply_timeouts.add();
            io_.options().render_problem(ProblemCode::outcome_unknown, exchange.request, response);
        }
        write(out_, exchange, response, now);
        io_.give_back(exchange);
    }
    last_pending_ = nullptr;
    pending_ = 0;
}

bool Session::send_now() {
    if (reader_.take_continue_due() && keep_alive_) out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    if (out_.empty()) return true;
    if (tls_ != nullptr) return false;
    boost::system::error_code error;
    sent_ = socket_.send(asio::buffer(out_), 0, error);
    if (error && error != asio::error::would_block) {
        broken_ = true;
        release_output();
        return true;
    }
    io_.figures().bytes_written.add(sent_);
    if (sent_ < out_.size()) return false;
    release_output();
    return true;
}

Awaitable<void> Session::send_rest() {
    const Timeouts& timeouts = io_.options().timeouts;
    const std::size_t unsent = out_.size() - sent_;
    const bool has_room = io_.buffers().take(unsent);
    // When all together wait for their readers with too much, none may wait for long.
    const auto patience = has_room ? timeouts.write : timeouts.half;
    const auto last =
        io_.clock().monotonic() + patience + std::chrono::seconds{out_.size() / output_rate_min};
    while (sent_ < out_.size()) {
        // Who takes nothing is cut soon, however much there is; who takes little, in the end.
        deadline_ = std::min(last, io_.clock().monotonic() + patience);
        const auto rest = asio::buffer(out_.data() + sent_, out_.size() - sent_);
        boost::system::error_code error;
        std::size_t size = 0;
        if (tls_ != nullptr) {
            std::tie(error, size) = co_await tls_->write_some(rest);
        } else {
            std::tie(error, size) = co_await socket_.async_write_some(rest, quietly);
        }
        if (error) {
            if (timed_out_) io_.figures().deadline_closes.add();
            broken_ = true;
            break;
        }
        io_.figures().bytes_written.add(size);
        sent_ += size;
    }
    if (has_room) io_.buffers().give_back(unsent);
    deadline_ = base::MonotonicTime::max();
    release_output();
}

Awaitable<void> Session::give_way() {
    answered_in_a_row_ = 0;
    co_await asio::post(socket_.get_executor(), asio::deferred);
}

void Session::release_output() {
    if (out_.capacity() >= output_size_min) io_.give_back(std::move(out_));
    out_ = std::string{};  // braces alone would keep the memory
    sent_ = 0;
}

std::span<char> Session::room() {
    const Timeouts& timeouts = io_.options().timeouts;
    if (!reader_.began()) {
        // Not since the last bytes came: their answer may have taken long.
        waits_since_ = io_.clock().monotonic();
        deadline_ = waits_since_ + timeouts.idle;
    } else {
        const bool in_head = reader_.phase() == MessageReader::Phase::head;
        deadline_ = reader_.since() + (in_head ? timeouts.header : timeouts.body);
    }
    if (leaving_) deadline_ = std::min(deadline_, now_ + timeouts.half);
    reading_ = true;
    return room_ = reader_.room();
}

bool Session::took(boost::system::error_code error, std::size_t size) {
    reading_ = false;
    answered_in_a_row_ = 0;
    deadline_ = base::MonotonicTime::max();
    now_ = io_.clock().monotonic();
    // What came in the moment it was cut is not begun: its answer could not be told.
    if (broken_) return false;
    if (timed_out_) {
        if (!reader_.began()) return false;  // idle: nobody is told
        io_.figures().deadline_closes.add();
        refuse(io_.take_exchange(), ProblemCode::request_timeout);
        static_cast<void>(send_now());
        return false;
    }
    if (error == asio::error::operation_aborted && leaving_ && !broken_) {
        // A request that came just now is not cut; of TLS one sees that only from inside.
        if (tls_ != nullptr) return false;
        size = socket_.read_some(asio::buffer(room_.data(), room_.size()), error);
    }
    if (error) {
        peer_closed_ = error == asio::error::eof;
        broken_ = error != asio::error::eof && error != asio::error::would_block;
        return false;
    }
    io_.figures().bytes_read.add(size);
    reader_.took(size);
    return true;
}

void Session::expire() {
    // Each sweep again until the session has set another deadline: what has just been completed
    // cannot be cancelled any more, and the next step of the same would wait for ever.
    timed_out_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void Session::close_if_idle() {
    leaving_ = true;
    if (!reading_) return;
    if (reader_.began()) {
        deadline_ = std::min(deadline_, io_.clock().monotonic() + io_.options().timeouts.half);
        return;
    }
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void Session::cut() {
    broken_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
}

std::optional<base::MonotonicTime> Session::idle_since() const {
    if (!reading_ || reader_.began() || leaving_ || broken_) return std::nullopt;
    return waits_since_;
}

bool Session::has_unread() {
    boost::system::error_code error;
    return socket_.available(error) > 0 || error;
}

Awaitable<void> Session::linger() {
    if (broken_) co_return;
    timed_out_ = false;
    if (tls_ != nullptr && !out_.empty()) co_await send_rest();
    const auto patience = io_.options().timeouts.linger;
    deadline_ = io_.clock().monotonic() + (leaving_ ? patience / 8 : patience);
    if (tls_ != nullptr && !broken_) co_await tls_->say_goodbye();
    boost::system::error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
    if (peer_closed_) co_return;
    // What it held for a body that is read no more is needed by others.
    reader_.drop();
    while (!timed_out_ && !broken_) {
        room_ = reader_.room();
        const auto waste = asio::buffer(room_.data(), room_.size());
        const auto [error, size] = co_await socket_.async_read_some(waste, quietly);
        if (error) break;
    }
}

Awaitable<void> run_session(std::unique_ptr<Session> owned) {
    Session& session = *owned;
    if (session.tls() != nullptr) {
        const bool secured = co_await session.shake_hands();
        if (!secured) {
            co_await session.linger();
            co_return;
        }
    }
    while (true) {
        const std::span<char> free = session.room();
        const auto room = asio::buffer(free.data(), free.size());
        boost::system::error_code error = asio::error::operation_aborted;
        std::size_t size = 0;
        if (!session.leaves_now()) {
            if (session.tls() != nullptr) {
                std::tie(error, size) = co_await session.tls()->read_some(room);
            } else {
                std::tie(error, size) = co_await session.socket().async_read_some(room, quietly);
            }
        }
        if (!session.took(error, size)) break;
        Session::Next next = Session::Next::flush;
        while (next != Session::Next::read && next != Session::Next::leave) {
            next = session.advance();
            if (session.answers().outstanding() > 0) {
                const auto deadline = session.reply_deadline();
                co_await session.answers().wait(deadline);
            }
            session.render_pending();
            if (session.broken()) break;
            if (next == Session::Next::answer_held) {
                if (session.held_answers_later()) {
                    co_await session.answer_held_later();
                } else {
                    session.answer_held_now();
                }
                continue;
            }
            if (!session.send_now()) co_await session.send_rest();
            if (session.broken()) break;
            if (next == Session::Next::flush) co_await session.give_way();
        }
        if (next == Session::Next::leave || session.broken()) break;
    }
    co_await session.linger();
}

}  // namespace firstcome::http
