// src/http/server.hpp - listens, spreads connections over io threads, leaves politely
#pragma once

#include "base/entropy.hpp"
#include "base/time.hpp"
#include "http/byte_budget.hpp"
#include "http/figures.hpp"
#include "http/io_thread.hpp"
#include "http/options.hpp"
#include "http/routes.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::http {

/// Thread   made, driven and destroyed by one thread (main); `figures` and `last_beat`: any
class Server {
public:
    /// `router` and `clock` outlive the server, and the server outlives every lane that has its
    /// tickets (an io thread is a lane's ReplySink).
    Server(
        ServerOptions options,
        const Router& router,
        const base::Clock& clock,
        base::Entropy& entropy
    );
    /// Cuts what is still open.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Binds, then starts the threads `fc-io-<n>`. The error is a sentence for the operator.
    [[nodiscard]] std::expected<void, std::string> start();

    /// The bound port, also when 0 was asked for.
    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// From now on every answer carries `Connection: close`.
    void begin_drain();
    /// Takes what the kernel has accepted already, then closes the listening sockets.
    void stop_accepting();
    /// Closes idle connections, lets requests in flight be answered until the deadline, ends the
    /// threads. Says how many connections were cut.
    [[nodiscard]] std::size_t finish(base::MonotonicTime deadline);

    /// Nothing before the start.
    [[nodiscard]] ServerFigures figures() const;
    /// The last time io thread n moved, for liveness: at most a sweep ago on a healthy thread. Now,
    /// before the start.
    [[nodiscard]] base::MonotonicTime last_beat(unsigned thread) const;

private:
    ServerOptions options_;
    const Router& router_;      // outlives
    const base::Clock& clock_;  // outlives
    base::Entropy& entropy_;    // outlives
    std::uint16_t port_ = 0;
    std::atomic<std::size_t> open_{0};
    ByteBudget buffers_;
    std::atomic<bool> draining_{false};
    RunningThreads running_;
    std::vector<std::unique_ptr<IoThread>> threads_;
    std::atomic<bool> started_{false};  // threads_ stays as it is from here on
    bool finished_ = false;
};

}  // namespace firstcome::http
