// src/app/find_order.hpp - reads orders on threads of their own, never on an io thread
#pragma once

#include "base/bounded_queue.hpp"
#include "ports/order_store.hpp"

#include <atomic>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace firstcome::app {

using FindReply = std::expected<std::optional<domain::Order>, ports::StoreError>;
using ListReply = std::expected<ports::OrderPage, ports::StoreError>;

class FindOrder {
public:
    /// One thread `fc-read-<n>` per store; each store is used by its thread alone.
    FindOrder(std::vector<std::unique_ptr<ports::OrderStore>> stores, std::size_t queue_capacity);
    ~FindOrder();
    FindOrder(const FindOrder&) = delete;
    FindOrder& operator=(const FindOrder&) = delete;

    void start();

    /// `done` is called once, on a reader thread. False: too many wait or closed, and `done` is
    /// never called.
    ///
    /// Thread   any
    [[nodiscard]] bool find(domain::OrderId id, std::move_only_function<void(FindReply)> done);
    [[nodiscard]] bool list(ports::OrderQuery query, std::move_only_function<void(ListReply)> done);

    /// Takes nothing more, answers what waits, ends the threads.
    void close_and_drain();

private:
    using Work = std::move_only_function<void(ports::OrderStore&)>;

    [[nodiscard]] bool submit(Work work);
    void run(std::size_t reader);

    std::vector<std::unique_ptr<ports::OrderStore>> stores_;
    std::vector<std::unique_ptr<base::BoundedQueue<Work>>> queues_;  // one per reader
    std::atomic<std::size_t> next_{0};                               // the reader whose turn it is
    std::vector<std::thread> threads_;
};

}  // namespace firstcome::app
