// src/app/find_order.cpp - reads orders on threads of their own, never on an io thread
#include "app/find_order.hpp"

#include "base/assert.hpp"

#include <pthread.h>
#include <string>
#include <utility>

namespace firstcome::app {

namespace {

constexpr std::size_t reads_at_once = 64;  // taken from the queue in one go; fairness, not speed

}  // namespace

FindOrder::FindOrder(
    std::vector<std::unique_ptr<ports::OrderStore>> stores, std::size_t queue_capacity
)
    : stores_(std::move(stores)) {
    FC_ASSERT(!stores_.empty());
    for (std::size_t i = 0; i < stores_.size(); ++i) {
        queues_.push_back(std::make_unique<base::BoundedQueue<Work>>(queue_capacity));
    }
}

FindOrder::~FindOrder() {
    close_and_drain();
}

void FindOrder::start() {
    for (std::size_t reader = 0; reader < stores_.size(); ++reader) {
        threads_.emplace_back([this, reader] { run(reader); });
        const std::string name = "fc-read-" + std::to_string(reader);
        ::pthread_setname_np(threads_.back().native_handle(), name.c_str());
    }
}

bool FindOrder::find(domain::OrderId id, std::move_only_function<void(FindReply)> done) {
    return submit([id, done = std::move(done)](ports::OrderStore& store) mutable {
        done(store.find(id));
    });
}

bool FindOrder::list(ports::OrderQuery query, std::move_only_function<void(ListReply)> done) {
    return submit([query = std::move(query), done = std::move(done)](ports::OrderStore& store
                  ) mutable { done(store.list(query)); });
}

bool FindOrder::submit(Work work) {
    const std::size_t reader = next_.fetch_add(1, std::memory_order_relaxed) % queues_.size();
    return queues_[reader]->try_push(std::move(work));
}

void FindOrder::run(std::size_t reader) {
    std::vector<Work> batch;
    while (queues_[reader]->pop_batch(batch, reads_at_once)) {
        for (Work& work : batch) work(*stores_[reader]);
        batch.clear();
    }
}

void FindOrder::close_and_drain() {
    for (auto& queue : queues_) queue->close();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

}  // namespace firstcome::app
