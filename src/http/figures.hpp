// src/http/figures.hpp - what the engine counts: per io thread without locks, merged by the reader
#pragma once

#include "base/assert.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace firstcome::http {

/// Statuses that are counted on their own; any other counts under the last, "other" (0).
inline constexpr std::array<unsigned, 26> counted_statuses{
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 410,
    413, 414, 415, 417, 422, 429, 431, 500, 503, 504, 505, 207, 0};

/// Upper bounds of the duration histogram's buckets; one more bucket takes the rest.
inline constexpr std::array<std::chrono::nanoseconds, 13> duration_bounds{
    std::chrono::microseconds{100},
    std::chrono::microseconds{250},
    std::chrono::microseconds{500},
    std::chrono::milliseconds{1},
    std::chrono::microseconds{2500},
    std::chrono::milliseconds{5},
    std::chrono::milliseconds{10},
    std::chrono::milliseconds{25},
    std::chrono::milliseconds{50},
    std::chrono::milliseconds{100},
    std::chrono::milliseconds{250},
    std::chrono::seconds{1},
    std::chrono::seconds{5}};

/// Requests of one route with one status.
struct RequestFigures {
    std::size_t route = 0;  ///< index into Router::routes(); its size(): no route matched
    unsigned status = 0;    ///< 0: one of those not in `counted_statuses`
    std::uint64_t count = 0;
    std::chrono::nanoseconds duration_sum{};  ///< last byte read to answer ready
    std::array<std::uint64_t, duration_bounds.size() + 1> buckets{};  ///< not cumulative
};

struct ServerFigures {
    std::uint64_t connections_open = 0;
    std::uint64_t connections_accepted = 0;
    std::uint64_t connections_refused = 0;    ///< over the cap, or no room for TLS
    std::uint64_t connections_displaced = 0;  ///< idle, closed for a newcomer at the cap
    std::uint64_t accept_pauses = 0;          ///< out of file descriptors
    std::uint64_t malformed_requests = 0;     ///< answered 400, 414, 417, 431, 505 by the engine
    std::uint64_t deadline_closes = 0;        ///< slow header, body, reader; idle ones are not
    std::uint64_t reply_timeouts = 0;         ///< orders answered outcome_unknown
    std::uint64_t stale_answers = 0;          ///< came after their request was answered
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::vector<RequestFigures> requests;  ///< only those that happened
};

/// One thread writes, any reads: no lock, no locked instruction.
class Count {
public:
    void add(std::uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }

    void take(std::uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
    }

    [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// Thread   writing: its io thread; `add_to`: any
class ThreadFigures {
public:
    explicit ThreadFigures(std::size_t routes);

    Count connections_open;
    Count connections_accepted;
    Count connections_refused;
    Count connections_displaced;
    Count accept_pauses;
    Count malformed_requests;
    Count deadline_closes;
    Count reply_timeouts;
    Count stale_answers;
    Count bytes_read;
    Count bytes_written;

    /// `route`: its index, or the number of routes when none matched.
    void count_request(std::size_t route, unsigned status, std::chrono::nanoseconds duration);
    void add_to(ServerFigures& sum) const;

private:
    struct Row {
        Count count;
        Count duration_ns;
        std::array<Count, duration_bounds.size() + 1> buckets;
    };

    std::vector<std::array<Row, counted_statuses.size()>> rows_;  // [route][status]
};

}  // namespace firstcome::http
