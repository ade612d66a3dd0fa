// src/http/await.hpp - lets a handler wait for what other threads answer, always with a deadline
#pragma once

#include "app/order_lane.hpp"
#include "base/time.hpp"
#include "http/executor.hpp"
#include "http/io_thread.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::http {

enum class AwaitError : std::uint8_t {
    refused,    // nothing was started: 503 please_wait
    timed_out,  // started, no answer before the deadline: 504 for changes, 503 for reads
};

/// Starts an asynchronous call with the callback it is given; false: not started.
template <typename T>
using StartCall = std::move_only_function<bool(std::move_only_function<void(T)> done)>;

/// What a call on another thread leaves for the coroutine that waits; whoever is last frees it.
template <typename T>
struct CallState {
    Waiter* waiter = nullptr;  // io thread only; null: nobody waits any more
    std::optional<T> value;
};

/// Bridges callback APIs (app::FindOrder::find, app::StockDesk::change): `done` may be called on
/// any thread, once, also after the deadline - then nobody listens and nothing happens.
///
/// Use: `auto ask = [..](auto done) { return find.find(id, std::move(done)); };`
///      `auto found = co_await await_call<app::FindReply>(io, deadline, std::move(ask));`
/// Thread   the handler's io thread; `io` outlives the call, also a late one
template <typename T>
Awaitable<std::expected<T, AwaitError>> await_call(
    IoThread& io, base::MonotonicTime deadline, StartCall<T> start
) {
    const auto state = std::make_shared<CallState<T>>();
    Waiter waiter{io};
    state->waiter = &waiter;
    waiter.expect(1);
    auto done = [&io, state](T value) {
        auto arrive = [state, value = std::move(value)]() mutable {
            if (state->waiter == nullptr) return;
            state->value.emplace(std::move(value));
            state->waiter->arrived(1);
        };
        io.post(std::move(arrive));
    };
    const bool started = start(std::move(done));
    if (!started) {
        state->waiter = nullptr;
        co_return std::unexpected(AwaitError::refused);
    }
    co_await waiter.wait(deadline);
    state->waiter = nullptr;
    if (!state->value) co_return std::unexpected(AwaitError::timed_out);
    co_return std::move(*state->value);
}

/// Many orders of one request: gives out a ticket for each and collects their answers.
///
/// Thread   the handler's io thread; lives in the handler's coroutine
class OrderGather {
public:
    /// `size` up to 4,096.
    OrderGather(IoThread& io, std::size_t size);
    ~OrderGather();
    OrderGather(const OrderGather&) = delete;
    OrderGather& operator=(const OrderGather&) = delete;

    [[nodiscard]] app::ReplySink& sink();
    /// For the placement of order `part`, 0..size-1.
    [[nodiscard]] std::uint64_t ticket(std::size_t part) const;

    /// Call once for each placement that was queued.
    void expect_one() { waiter_.expect(1); }

    /// Waits until all that are expected have answered, or the deadline: see `reply` for which.
    [[nodiscard]] Awaitable<void> all(base::MonotonicTime deadline);

    /// Nothing: not queued, or not answered in time.
    [[nodiscard]] std::optional<app::Reply>& reply(std::size_t part) { return replies_[part]; }

private:
    IoThread& io_;  // outlives
    Waiter waiter_;
    std::vector<std::optional<app::Reply>> replies_;
    std::uint64_t base_ticket_;
};

}  // namespace firstcome::http
