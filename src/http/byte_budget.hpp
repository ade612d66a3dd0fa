// src/http/byte_budget.hpp - memory that all connections of a listener share
#pragma once

#include <atomic>
#include <cstddef>

namespace firstcome::http {

/// What a connection holds beyond its own small buffers it borrows here, so that many large bodies
/// and many answers that nobody reads are bounded together, and not only one by one.
///
/// Thread   any
class ByteBudget {
public:
    explicit ByteBudget(std::size_t max) : max_(max) {}

    /// False: so many more would be too many, and nothing was taken.
    [[nodiscard]] bool take(std::size_t bytes) {
        if (taken_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= max_) return true;
        give_back(bytes);
        return false;
    }

    void give_back(std::size_t bytes) { taken_.fetch_sub(bytes, std::memory_order_relaxed); }

    [[nodiscard]] std::size_t taken() const { return taken_.load(std::memory_order_relaxed); }

private:
    const std::size_t max_;
    std::atomic<std::size_t> taken_{0};
};

}  // namespace firstcome::http
