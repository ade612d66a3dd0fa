// src/http/io_thread.hpp - one event loop with its connections; the sink of their orders' answers
#pragma once

#include "app/order_lane.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "http/byte_budget.hpp"
#include "http/executor.hpp"
#include "http/figures.hpp"
#include "http/options.hpp"
#include "http/routes.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::http {

class IoThread;
class Session;

/// Something an io thread's sweep ends when its time is over.
///
/// Thread   its io thread
class Deadlined {
public:
    Deadlined() = default;
    Deadlined(const Deadlined&) = delete;
    Deadlined& operator=(const Deadlined&) = delete;

    virtual ~Deadlined() = default;

protected:
    base::MonotonicTime deadline_ = base::MonotonicTime::max();

private:
    friend class IoThread;

    virtual void expire() = 0;

    Deadlined* previous_ = nullptr;
    Deadlined* next_ = nullptr;
};

/// A coroutine that waits for a number of arrivals, or a deadline.
///
/// Thread   its io thread
class Waiter final : public Deadlined {
public:
    explicit Waiter(IoThread& io) : io_(io) {}

    ~Waiter() override;

    void expect(std::size_t count) { outstanding_ += count; }

    [[nodiscard]] std::size_t outstanding() const { return outstanding_; }

    /// Resumes the coroutine when nothing is outstanding any more: may run it before returning.
    void arrived(std::size_t count);

    /// Returns at once when nothing is outstanding. False: the deadline passed first; what is
    /// still outstanding is forgotten.
    [[nodiscard]] Awaitable<bool> wait(base::MonotonicTime deadline);

private:
    void expire() override;
    void resume();

    IoThread& io_;  // outlives
    std::size_t outstanding_ = 0;
    std::move_only_function<void()> resume_;
};

/// One message between its parsing and the writing of its answer; pooled by the io thread.
struct Exchange {
    Request request;
    std::optional<app::Reply> reply;  ///< of an order on the lane
    app::PlaceTimes placed;           ///< with the reply
    std::uint64_t ticket = 0;         ///< 0: not on the lane, `written` is the answer
    std::string written;              ///< an answer that must wait for those before it
    std::string_view allow;           ///< methods of the path, when no route was found
    bool keep_alive = true;
    bool says_keep_alive = false;  ///< HTTP/1.0 wants to hear it
    bool let_in = false;           ///< the gate was asked before the body had come
    Exchange* next = nullptr;      ///< in order of arrival, or in the pool
};

/// xoshiro256++: fast and good enough for ids that need not be unguessable.
///
/// Source   Blackman and Vigna, prng.di.unimi.it
class IdSource {
public:
    explicit IdSource(base::Entropy& entropy);
    [[nodiscard]] std::uint64_t next();

private:
    std::array<std::uint64_t, 4> state_;
};

/// How many io threads still have work; the server waits for none.
///
/// Thread   any
class RunningThreads {
public:
    void enter();
    void leave();
    /// False: some still run after `patience`.
    [[nodiscard]] bool wait_until_none(std::chrono::nanoseconds patience);

private:
    std::mutex mutex_;
    std::condition_variable none_;
    std::size_t count_ = 0;
};

struct IoThreadContext {
    const ServerOptions& options;
    const Router& router;
    const base::Clock& clock;
    std::atomic<std::size_t>& open_connections;  ///< of all threads
    ByteBudget& buffers;                         ///< of all threads
    const std::atomic<bool>& draining;
    RunningThreads& running;
};

/// Thread   `deliver`, `post`, `last_beat`, the figures' readers and what says so: any; all else
///          its own
class IoThread final : public app::ReplySink {
public:
    using Tcp = asio::ip::tcp;
    using Socket = asio::basic_stream_socket<Tcp, IoExecutor>;
    using Acceptor = asio::basic_socket_acceptor<Tcp, IoExecutor>;
    using Timer = asio::basic_waitable_timer<
        std::chrono::steady_clock,
        asio::wait_traits<std::chrono::steady_clock>,
        IoExecutor>;

    /// All of `context` outlives this. `listening` is a socket that listens; this owns it.
    IoThread(unsigned index, IoThreadContext context, base::Entropy& entropy, int listening);
    ~IoThread() override;

    /// Starts the thread `<thread_name>-<index>`. Thread: the server's
    void start();
    /// Thread   any
    void stop_accepting();
    /// Closes idle connections; the others close after their answers. Thread: any
    void close_idle();
    /// Cuts every connection. Thread: any
    void cut();
    /// Returns when the last connection is gone. Thread: the server's
    void join();

    /// Runs `work` on this thread, soon. Also after the end of the thread: then never.
    ///
    /// Thread   any
    template <typename Work>
    void post(Work&& work) {
        asio::post(context_, std::forward<Work>(work));
    }

    /// Any thread: a lane.
    void deliver(std::span<app::Answer> answers) override;

    [[nodiscard]] const base::Clock& clock() const { return shared_.clock; }

    [[nodiscard]] const ServerOptions& options() const { return shared_.options; }

    [[nodiscard]] const Router& router() const { return shared_.router; }

    [[nodiscard]] ByteBudget& buffers() { return shared_.buffers; }

    [[nodiscard]] bool draining() const { return shared_.draining.load(std::memory_order_relaxed); }

    [[nodiscard]] ThreadFigures& figures() { return figures_; }

    [[nodiscard]] const ThreadFigures& figures() const { return figures_; }

    [[nodiscard]] base::MonotonicTime last_beat() const;

    [[nodiscard]] IdSource& ids() { return ids_; }

    /// A ticket for as many orders as there are `replies` (up to 4,096): add the order's number to
    /// it. Each arrival fills its reply, and `placed` unless null, and tells `waiter`. All live
    /// until `close_ticket`.
    [[nodiscard]] std::uint64_t open_ticket(
        Waiter& waiter,
        std::span<std::optional<app::Reply>> replies,
        app::PlaceTimes* placed = nullptr
    );
    /// From now on what still comes for it is dropped.
    void close_ticket(std::uint64_t ticket);

    void watch(Deadlined& what);
    void unwatch(Deadlined& what);

    [[nodiscard]] Exchange& take_exchange();
    void give_back(Exchange& exchange);
    /// Output buffers keep their room between sessions.
    [[nodiscard]] std::string take_buffer();
    void give_back(std::string buffer);

    /// "Date: ...\r\n", of this second.
    [[nodiscard]] std::string_view date_line(base::MonotonicTime now);

    /// The one response that hot and immediate answers are made in.
    [[nodiscard]] Response& scratch() { return scratch_; }

private:
    friend class Session;

    static constexpr unsigned part_bits = 12;
    static constexpr unsigned index_bits = 20;

    struct Ticket {
        std::uint32_t generation = 1;
        Waiter* waiter = nullptr;
        std::span<std::optional<app::Reply>> replies;
        app::PlaceTimes* placed = nullptr;
    };

    void run();
    void take_inbox();
    void sweep();
    void arm_sweep();
    void admit(Socket socket, const Tcp::endpoint& from);
    /// Closes a connection that waits for nothing in favour of a new one. False: none is idle.
    [[nodiscard]] bool displace();
    void refuse(Socket& socket);
    void session_ended(Session& session);
    void leave_when_empty();
    static Awaitable<void> accept_connections(IoThread& io);
    void accept_waiting();

    const unsigned index_;
    IoThreadContext shared_;
    asio::io_context context_;
    asio::executor_work_guard<IoExecutor> work_;
    Acceptor acceptor_;
    Timer accept_pause_;
    Timer sweep_timer_;
    bool accepting_ = true;
    bool leaving_ = false;
    ThreadFigures figures_;
    IdSource ids_;
    Response scratch_;

    std::mutex inbox_mutex_;
    std::vector<app::Answer> inbox_;
    std::vector<app::Answer> arrived_;  // the io thread's half of the inbox

    std::vector<Ticket> tickets_;
    std::vector<std::uint32_t> free_tickets_;
    Deadlined* watched_ = nullptr;
    Deadlined* sweep_next_ = nullptr;
    std::vector<Session*> sessions_;
    std::size_t next_looked_at_ = 0;  // of sessions_, by displace()
    Exchange* free_exchanges_ = nullptr;
    std::size_t spare_exchanges_ = 0;
    std::vector<std::string> free_buffers_;

    std::string date_line_;
    base::MonotonicTime date_until_ = base::MonotonicTime::min();
    std::atomic<std::int64_t> last_beat_ns_{0};
    std::thread thread_;
};

}  // namespace firstcome::http
