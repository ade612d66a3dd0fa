// src/adapters/postgres/pool.hpp - a few sessions for many readers
#pragma once

#include "adapters/postgres/connection.hpp"

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace firstcome::postgres {

/// Gives each reader a session of its own for one question. Bounded: whoever finds none waits, but
/// not longer than `wait`. Sessions are opened when first needed.
///
/// Thread   any
class Pool {
public:
    Pool(const ConnectionOptions& options, std::size_t size, std::chrono::milliseconds wait);

    /// Goes back when it ends. Empty: all were taken for the whole wait.
    class Lease {
    public:
        Lease() = default;
        Lease(Pool& pool, std::unique_ptr<Connection> connection);
        ~Lease();
        Lease(Lease&&) noexcept = default;
        Lease& operator=(Lease&&) = delete;

        explicit operator bool() const { return connection_ != nullptr; }

        Connection& operator*() const { return *connection_; }

        Connection* operator->() const { return connection_.get(); }

    private:
        Pool* pool_ = nullptr;  // outlives
        std::unique_ptr<Connection> connection_;
    };

    [[nodiscard]] Lease take();

private:
    void put_back(std::unique_ptr<Connection> connection);

    const std::chrono::milliseconds wait_;
    std::mutex mutex_;
    std::condition_variable came_back_;
    std::vector<std::unique_ptr<Connection>> idle_;  // the last used first, so few stay open
};

}  // namespace firstcome::postgres
