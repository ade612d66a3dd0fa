// tests/http/live_server.hpp - a server in this process, and a client that sends bytes
#pragma once

#include "base/entropy.hpp"
#include "base/time.hpp"
#include "http/await.hpp"
#include "http/server.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace firstcome::http {

using namespace std::chrono_literals;

/// Stands still until it is told to move; both clocks move together.
class ManualClock final : public base::Clock {
public:
    [[nodiscard]] base::MonotonicTime monotonic() const override {
        return base::MonotonicTime{std::chrono::nanoseconds{ns_.load()}};
    }

    [[nodiscard]] base::WallTime wall() const override {
        return base::WallTime{
            std::chrono::milliseconds{1'767'225'600'000 + ns_.load() / 1'000'000}};
    }

    void advance(std::chrono::nanoseconds by) { ns_ += by.count(); }

private:
    std::atomic<std::int64_t> ns_{std::chrono::nanoseconds{1h}.count()};
};

class CountingEntropy final : public base::Entropy {
public:
    [[nodiscard]] std::uint64_t next() override { return word_ += 0x9E3779B97F4A7C15U; }

private:
    std::uint64_t word_ = 1;
};

/// Spins, bounded by a watchdog far above anything sensible.
inline bool eventually(const std::function<bool()>& holds) {
    const base::SystemClock clock;
    const auto end = clock.monotonic() + 30s;
    while (!holds()) {
        if (clock.monotonic() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

struct Answer {
    unsigned status = 0;  ///< 0: the connection ended instead
    std::string head;     ///< status line and fields
    std::string body;
    bool reset = false;  ///< ended by a reset

    [[nodiscard]] std::string field(std::string_view name) const {
        const auto at = head.find("\r\n" + std::string{name} + ": ");
        if (at == std::string::npos) return {};
        const auto begin = at + name.size() + 4;
        return head.substr(begin, head.find("\r\n", begin) - begin);
    }
};

class RawClient {
public:
    explicit RawClient(std::uint16_t port, int family = AF_INET) {
        socket_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const timeval patience{.tv_sec = 30, .tv_usec = 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        connect(port, family);
    }

    ~RawClient() { close(); }

    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    void close() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }

    void send(std::string_view text) {
        while (!text.empty()) {
            const auto sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    void finish_sending() { ::shutdown(socket_, SHUT_WR); }

    /// The next answer; `to_head`: it has no body whatever its length says.
    Answer read(bool to_head = false) {
        Answer answer;
        while (bytes_.find("\r\n\r\n") == std::string::npos) {
            if (!receive(answer)) return answer;
        }
        const auto head_size = bytes_.find("\r\n\r\n") + 4;
        answer.head = bytes_.substr(0, head_size);
        const auto length = answer.field("Content-Length");
        const std::size_t body_size = to_head || length.empty() ? 0 : std::stoul(length);
        while (bytes_.size() < head_size + body_size) {
            if (!receive(answer)) return answer;
        }
        answer.body = bytes_.substr(head_size, body_size);
        bytes_.erase(0, head_size + body_size);
        answer.status = static_cast<unsigned>(std::stoul(answer.head.substr(9, 3)));
        return answer;
    }

    Answer ask(std::string_view request) {
        send(request);
        return read();
    }

    /// The server said goodbye properly: nothing more, and no reset.
    bool is_closed() {
        Answer nothing;
        const bool got = receive(nothing);
        return !got && !nothing.reset && bytes_.empty();
    }

    [[nodiscard]] int native() const { return socket_; }

private:
    void connect(std::uint16_t port, int family) {
        if (family == AF_INET6) {
            sockaddr_in6 to{};
            to.sin6_family = AF_INET6;
            to.sin6_port = htons(port);
            to.sin6_addr = in6addr_loopback;
            ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof(to));
            return;
        }
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof(to));
    }

    bool receive(Answer& answer) {
        char chunk[65536];
        const auto got = ::recv(socket_, chunk, sizeof(chunk), 0);
        if (got < 0) answer.reset = errno == ECONNRESET;
        EXPECT_FALSE(got < 0 && errno == EAGAIN) << "the server said nothing for 30 s";
        if (got <= 0) return false;
        bytes_.append(chunk, static_cast<std::size_t>(got));
        return true;
    }

    int socket_ = -1;
    std::string bytes_;
};

/// The order route of the tests: body "now" is answered at once, "throw" throws, anything else goes
/// to a lane that answers when the test says so.
class TestOrders final : public OrderEndpoint {
public:
    [[nodiscard]] bool submit(
        const Request& request, app::ReplySink& sink, std::uint64_t ticket, Response& response
    ) override {
        if (request.body == "throw") throw std::runtime_error("a bug");
        ++submitted;
        if (request.body == "now") {
            response.status = 409;
            return false;
        }
        const std::lock_guard lock{mutex_};
        waiting_.emplace_back(&sink, ticket);
        return true;
    }

    void answer(const Request& request, const app::Reply& reply, Response& response) override {
        response.status = reply ? 202 : 503;
        response.body = "accepted " + std::string{request.body};
    }

    [[nodiscard]] bool has_waiting(std::size_t count) const {
        return eventually([&] {
            const std::lock_guard lock{mutex_};
            return waiting_.size() >= count;
        });
    }

    /// Answers waiting order `index`, from this thread as if it were the lane.
    void reply(std::size_t index) {
        const std::lock_guard lock{mutex_};
        auto [sink, ticket] = waiting_.at(index);
        std::vector<app::Answer> answers(1);
        answers[0].ticket = ticket;
        answers[0].reply = domain::Outcome{domain::Accepted{}};
        sink->deliver(answers);
    }

    /// Answers all of them in one batch.
    void reply_all() {
        const std::lock_guard lock{mutex_};
        std::vector<app::Answer> answers;
        for (const auto& [sink, ticket] : waiting_) {
            answers.push_back({.ticket = ticket, .reply = domain::Outcome{domain::Accepted{}}});
        }
        if (!answers.empty()) waiting_.front().first->deliver(answers);
        waiting_.clear();
    }

    std::atomic<int> submitted{0};

private:
    mutable std::mutex mutex_;
    std::vector<std::pair<app::ReplySink*, std::uint64_t>> waiting_;
};

/// Holds callbacks until the test answers them.
class TestCalls {
public:
    bool start(std::move_only_function<void(std::string)> done) {
        const std::lock_guard lock{mutex_};
        if (refuses) return false;
        waiting_.push_back(std::move(done));
        return true;
    }

    [[nodiscard]] bool has_waiting(std::size_t count) const {
        return eventually([&] {
            const std::lock_guard lock{mutex_};
            return waiting_.size() >= count;
        });
    }

    void answer_first(std::string text) {
        const std::lock_guard lock{mutex_};
        waiting_.front()(std::move(text));
        waiting_.erase(waiting_.begin());
    }

    std::atomic<bool> refuses{false};

private:
    mutable std::mutex mutex_;
    std::vector<std::move_only_function<void(std::string)>> waiting_;
};

inline Awaitable<Response> call_later(const Request& request, IoThread& io, TestCalls& calls) {
    if (request.parameters[0] == "throw") throw std::runtime_error("a bug");
    StartCall<std::string> ask = [&calls](auto done) { return calls.start(std::move(done)); };
    const auto deadline = io.clock().monotonic() + 2s;
    auto got = co_await await_call<std::string>(io, deadline, std::move(ask));
    Response response;
    response.content_type = "text/plain";
    if (!got) {
        response.status = got.error() == AwaitError::refused ? 503 : 504;
        co_return response;
    }
    response.body = *got + " for " + std::string{request.parameters[0]};
    co_return response;
}

inline Awaitable<Response> batch(const Request& request, IoThread& io, TestOrders& orders) {
    const std::size_t size = request.body.size();
    Response response;
    if (size > 1000) {
        response.status = 422;
        co_return response;
    }
    OrderGather gather{io, size};
    Response unused;
    for (std::size_t i = 0; i < size; ++i) {
        if (request.body[i] == '-') continue;  // shed: never queued
        if (orders.submit(request, gather.sink(), gather.ticket(i), unused)) gather.expect_one();
    }
    co_await gather.all(io.clock().monotonic() + 2s);
    for (std::size_t i = 0; i < size; ++i) response.body += gather.reply(i) ? 'A' : '?';
    co_return response;
}

/// A server on a free port with a few routes, and whatever a test wants to steer.
class LiveServer {
public:
    explicit LiveServer(std::function<void(ServerOptions&)> change = [](ServerOptions&) {}) {
        ServerOptions options;
        options.port = 0;
        options.timeouts.sweep = 2ms;
        change(options);
        server = std::make_unique<Server>(options, router, clock, entropy);
        const auto started = server->start();
        EXPECT_TRUE(started) << started.error();
    }

    ~LiveServer() { server.reset(); }

    [[nodiscard]] std::uint16_t port() const { return server->port(); }

    /// All bytes of the requests so far have been read by the server.
    [[nodiscard]] bool has_read(std::uint64_t bytes) const {
        return eventually([&] { return server->figures().bytes_read >= bytes; });
    }

    ManualClock clock;
    CountingEntropy entropy;
    TestOrders orders;
    TestCalls calls;
    std::atomic<int> executed{0};
    std::function<void(std::string_view id)> heard;  ///< of each echo; set before the first
    Router router{routes()};
    std::unique_ptr<Server> server;

private:
    std::vector<Route> routes() {
        std::vector<Route> table;
        const auto echo = [this](const Request& request, Response& response) {
            ++executed;
            if (heard) heard(request.parameters[0]);
            response.content_type = "text/plain";
            response.body = std::string{request.parameters[0]} + "|" + std::string{request.query} +
                            "|" + std::string{request.body};
        };
        const auto large = [](const Request&, Response& response) {
            response.body.assign(8'000'000, 'x');
        };
        const auto broken = [](const Request&, Response&) { throw std::runtime_error("a bug"); };
        const auto later = [this](const Request& request, IoThread& io) {
            return call_later(request, io, calls);
        };
        const auto gathered = [this](const Request& request, IoThread& io) {
            return batch(request, io, orders);
        };
        table.push_back({.method = Method::get, .path = "/echo/{id}", .handler = echo});
        table.push_back({.method = Method::post, .path = "/echo/{id}", .handler = echo});
        table.push_back({.method = Method::get, .path = "/large", .handler = AnswerNow{large}});
        table.push_back({.method = Method::get, .path = "/broken", .handler = AnswerNow{broken}});
        table.push_back(
            {.method = Method::get, .path = "/later/{id}", .handler = AnswerLater{later}}
        );
        table.push_back({.method = Method::post, .path = "/orders", .handler = &orders});
        table.push_back(
            {.method = Method::post,
             .path = "/orders:batch",
             .handler = AnswerLater{gathered},
             .body_size_max = std::size_t{256} * 1024}
        );
        return table;
    }
};

inline std::string order(std::string_view body) {
    return "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string{body};
}

inline std::string get(std::string_view path) {
    return "GET " + std::string{path} + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

}  // namespace firstcome::http
