// src/cli/bench_engine.hpp - the load: non-blocking sockets, one epoll, no allocation per order
#pragma once

#include "base/time.hpp"
#include "cli/bench_answer.hpp"
#include "cli/bench_client.hpp"
#include "cli/bench_mix.hpp"
#include "cli/bench_record.hpp"
#include "cli/bench_request.hpp"
#include "cli/bench_witness.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::cli {

/// One thread's part of the load.
struct EngineShare {
    unsigned connections = 1;
    unsigned pipeline = 1;
    unsigned batch = 1;                    ///< orders per call
    std::uint64_t orders = 0;              ///< 0: no bound
    std::chrono::nanoseconds duration{0};  ///< 0: no bound
    double rate = 0;                       ///< orders/s, open loop; 0: closed loop
    std::chrono::nanoseconds warm_up{0};   ///< latencies of orders due before are not counted
    bool ride_out = false;                 ///< ask again, same key, until the answer is definite
    std::chrono::nanoseconds patience{};   ///< without any answer, then it gives up
};

/// What the engine works with; all of it outlives the engine.
struct EngineParts {
    const Endpoint& endpoint;
    const RequestTemplates& templates;
    const base::Clock& clock;
    const std::atomic<bool>& interrupted;
    WishSource& wishes;
    Witness& witness;
    Recorder& recorder;
};

/// Closed loop: every connection always has `pipeline` calls in flight. Open loop: calls start at a
/// constant rate whatever the answers do; one that finds no free connection waits, and its latency
/// counts from when it should have been sent.
///
/// Thread   one per instance
class Engine {
public:
    Engine(const EngineShare& share, EngineParts parts);
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    ~Engine();

    /// Returns when all is answered, or nothing can be: then the rest counts as unknown.
    void run(base::MonotonicTime start);

    /// When the last answer was read; the start when none was.
    [[nodiscard]] base::MonotonicTime last_answer() const { return last_answer_; }

private:
    struct Call {
        Wish wish;
        base::MonotonicTime sent;
    };

    struct Connection {
        enum class State : std::uint8_t { closed, connecting, open, dead };

        State state = State::closed;
        bool listed_idle = false;
        bool waits_to_write = false;
        int socket = -1;
        unsigned failures = 0;  // to connect, one after the other
        base::MonotonicTime open_at;
        std::vector<char> in;
        std::size_t in_begin = 0;
        std::size_t in_end = 0;
        std::string out;
        std::size_t out_sent = 0;
        std::vector<Call> calls;  // a ring of `pipeline`
        std::size_t calls_first = 0;
        std::size_t calls_count = 0;
    };

    struct Retry {
        base::MonotonicTime due;
        Wish wish;
    };

    [[nodiscard]] bool finished(base::MonotonicTime now);
    [[nodiscard]] bool no_more(base::MonotonicTime now) const;
    [[nodiscard]] std::optional<Wish> next_wish(base::MonotonicTime now);
    [[nodiscard]] base::MonotonicTime next_start() const;
    [[nodiscard]] std::chrono::nanoseconds time_to_wait(base::MonotonicTime now) const;

    void move(Connection& connection, Connection::State state);
    void open_due(base::MonotonicTime now);
    void open(Connection& connection, base::MonotonicTime now);
    void opened(Connection& connection, base::MonotonicTime now);
    void open_failed(Connection& connection, base::MonotonicTime now, int error);
    void lose(Connection& connection, base::MonotonicTime now, std::string_view why);
    void close(Connection& connection);

    void start_idle(base::MonotonicTime now);
    void fill(Connection& connection, base::MonotonicTime now);
    void flush(Connection& connection, base::MonotonicTime now);
    void watch(Connection& connection, bool write);

    void wait(base::MonotonicTime now);
    void on_event(Connection& connection, std::uint32_t events);
    void read(Connection& connection);
    [[nodiscard]] bool take_answers(Connection& connection, base::MonotonicTime now);
    void complete(const Call& call, const Answer& answer, base::MonotonicTime now);
    void complete_batch(const Call& call, const Answer& answer, base::MonotonicTime now);
    void settle(const Call& call, const OrderAnswer& answer, base::MonotonicTime now);
    void ask_again(Wish wish, base::MonotonicTime due);
    void unanswered(const Call& call);
    void abandon_rest();

    [[nodiscard]] Recorder::Sent sent_line(const Call& call) const;

    const EngineShare share_;
    const EngineParts parts_;
    int epoll_ = -1;
    std::vector<Connection> connections_;
    std::deque<std::uint32_t> idle_;
    std::deque<Retry> retries_;
    std::size_t in_flight_ = 0;  // calls
    std::size_t closed_ = 0;     // connections to be opened again
    std::size_t dead_ = 0;       // connections given up
    std::uint64_t issued_ = 0;   // orders
    base::MonotonicTime start_;
    base::MonotonicTime stop_;  // no new calls from here on
    base::MonotonicTime last_answer_;
    std::vector<std::string_view> elements_;
};

}  // namespace firstcome::cli
