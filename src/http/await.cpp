// src/http/await.cpp - lets a handler wait for what other threads answer, always with a deadline
#include "http/await.hpp"

#include "base/assert.hpp"

namespace firstcome::http {

OrderGather::OrderGather(IoThread& io, std::size_t size)
    : io_(io), waiter_(io), replies_(size), base_ticket_(io.open_ticket(waiter_, replies_)) {}

OrderGather::~OrderGather() {
    io_.close_ticket(base_ticket_);
}

app::ReplySink& OrderGather::sink() {
    return io_;
}

std::uint64_t OrderGather::ticket(std::size_t part) const {
    FC_ASSERT(part < replies_.size());
    return base_ticket_ + part;
}

Awaitable<void> OrderGather::all(base::MonotonicTime deadline) {
    co_await waiter_.wait(deadline);
    io_.close_ticket(base_ticket_);
}

}  // namespace firstcome::http
