// src/adapters/postgres/pool.cpp - lend, take back
#include "adapters/postgres/pool.hpp"

#include "base/assert.hpp"

#include <utility>

namespace firstcome::postgres {

Pool::Pool(const ConnectionOptions& options, std::size_t size, std::chrono::milliseconds wait)
    : wait_(wait) {
    FC_ASSERT(size > 0);
    for (std::size_t each = 0; each < size; ++each) {
        idle_.push_back(std::make_unique<Connection>(options));
    }
}

Pool::Lease::Lease(Pool& pool, std::unique_ptr<Connection> connection)
    : pool_(&pool), connection_(std::move(connection)) {}

Pool::Lease::~Lease() {
    if (connection_ != nullptr) pool_->put_back(std::move(connection_));
}

Pool::Lease Pool::take() {
    std::unique_lock lock{mutex_};
    if (!came_back_.wait_for(lock, wait_, [this] { return !idle_.empty(); })) return {};
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return {*this, std::move(connection)};
}

void Pool::put_back(std::unique_ptr<Connection> connection) {
    FC_ASSERT(!connection->in_transaction());
    const std::lock_guard lock{mutex_};
    idle_.push_back(std::move(connection));
    came_back_.notify_one();
}

}  // namespace firstcome::postgres
