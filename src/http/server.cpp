// src/http/server.cpp - listens, spreads connections over io threads, leaves politely
#include "http/server.hpp"

#include "base/assert.hpp"
#include "http/io_thread.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace firstcome::http {
namespace {

/// Connections the kernel may have accepted before we take them.
constexpr int backlog = 4096;

/// How often `finish` looks at the clock while it waits.
constexpr auto patience = std::chrono::milliseconds{5};

std::unexpected<std::string> failed(const char* what, const std::string& address) {
    const auto why = std::generic_category().message(errno);
    return std::unexpected(std::string{what} + " " + address + ": " + why);
}

/// A socket bound to the endpoint; `shared` lets the other io threads bind theirs beside it.
std::expected<int, std::string> bind_to(const asio::ip::tcp::endpoint& endpoint, bool shared) {
    const std::string address =
        endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
    const int family = endpoint.address().is_v6() ? AF_INET6 : AF_INET;
    const int bound = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (bound < 0) return failed("cannot make a socket for", address);
    const int on = 1;
    ::setsockopt(bound, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared) ::setsockopt(bound, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (::bind(bound, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0) return bound;
    auto refusal = failed("cannot bind to", address);
    ::close(bound);
    return refusal;
}

std::expected<int, std::string> listen_on(const asio::ip::tcp::endpoint& endpoint) {
    const auto listening = bind_to(endpoint, true);
    if (!listening) return listening;
    const int on = 1;
    // Accepted sockets inherit it: an answer never waits for an acknowledgement.
    ::setsockopt(*listening, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::listen(*listening, backlog) == 0) return listening;
    auto refusal = failed("cannot listen on", endpoint.address().to_string());
    ::close(*listening);
    return refusal;
}

/// Sharing a port is meant for our own threads: another process there is a mistake to be told.
std::expected<void, std::string> claim(const asio::ip::tcp::endpoint& endpoint) {
    const auto alone = bind_to(endpoint, false);
    if (!alone) return std::unexpected(alone.error());
    ::close(*alone);
    return {};
}

std::uint16_t port_of(int listening) {
    asio::ip::tcp::endpoint endpoint;
    auto size = static_cast<socklen_t>(endpoint.capacity());
    ::getsockname(listening, endpoint.data(), &size);
    return endpoint.port();
}

}  // namespace

Server::Server(
    ServerOptions options, const Router& router, const base::Clock& clock, base::Entropy& entropy
)
    : options_(std::move(options)),
      router_(router),
      clock_(clock),
      entropy_(entropy),
      buffers_(options_.buffers_max) {
    FC_ASSERT(options_.io_threads > 0);
}

Server::~Server() {
    if (!threads_.empty() && !finished_) {
        static_cast<void>(finish(clock_.monotonic()));
    }
}

std::expected<void, std::string> Server::start() {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(options_.host, error);
    if (error) return std::unexpected("not an IPv4 or IPv6 address: " + options_.host);
    port_ = options_.port;
    if (port_ != 0) {
        if (const auto free = claim({address, port_}); !free) return free;
    }
    const IoThreadContext shared{
        .options = options_,
        .router = router_,
        .clock = clock_,
        .open_connections = open_,
        .buffers = buffers_,
        .draining = draining_,
        .running = running_,
    };
    for (unsigned i = 0; i < options_.io_threads; ++i) {
        const auto listening = listen_on({address, port_});
        if (!listening) {
            threads_.clear();
            return std::unexpected(listening.error());
        }
        port_ = port_of(*listening);
        threads_.push_back(std::make_unique<IoThread>(i, shared, entropy_, *listening));
    }
    for (const auto& thread : threads_) {
        running_.enter();
        thread->start();
    }
    started_.store(true, std::memory_order_release);
    return {};
}

void Server::begin_drain() {
    draining_.store(true, std::memory_order_relaxed);
}

void Server::stop_accepting() {
    for (const auto& thread : threads_) thread->stop_accepting();
}

std::size_t Server::finish(base::MonotonicTime deadline) {
    if (finished_) return 0;
    finished_ = true;
    begin_drain();
    stop_accepting();
    for (const auto& thread : threads_) thread->close_idle();
    std::size_t cut = 0;
    while (!running_.wait_until_none(patience)) {
        if (clock_.monotonic() < deadline) continue;
        cut = std::max(cut, open_.load(std::memory_order_relaxed));
        for (const auto& thread : threads_) thread->cut();
    }
    for (const auto& thread : threads_) thread->join();
    return cut;
}

ServerFigures Server::figures() const {
    ServerFigures sum;
    if (!started_.load(std::memory_order_acquire)) return sum;
    for (const auto& thread : threads_) thread->figures().add_to(sum);
    return sum;
}

base::MonotonicTime Server::last_beat(unsigned thread) const {
    if (!started_.load(std::memory_order_acquire)) return clock_.monotonic();
    FC_ASSERT(thread < threads_.size());
    return threads_[thread]->last_beat();
}

}  // namespace firstcome::http
