// src/http/in_flight.hpp - how many calls of a kind may be under way at the same time
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace firstcome::http {

/// A bound for handlers that wait: each holds memory until its answer is written. So many batches
/// leave room for reads, and neither can keep the operator out.
///
/// Thread   any
class InFlight {
public:
    explicit InFlight(std::size_t max) : max_(max) {}

    /// One call's place, given back with it.
    class Place {
    public:
        explicit Place(InFlight& of) : of_(of), taken_(of.take()) {}

        ~Place() {
            if (taken_) of_.now_.fetch_sub(1, std::memory_order_relaxed);
        }

        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;

        /// False: as many as may are under way.
        [[nodiscard]] bool taken() const { return taken_; }

    private:
        InFlight& of_;
        bool taken_;
    };

    [[nodiscard]] std::size_t now() const { return now_.load(std::memory_order_relaxed); }

    [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

private:
    bool take() {
        if (now_.fetch_add(1, std::memory_order_relaxed) < max_) return true;
        now_.fetch_sub(1, std::memory_order_relaxed);
        refused_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }

    const std::size_t max_;
    std::atomic<std::size_t> now_{0};
    std::atomic<std::uint64_t> refused_{0};
};

/// By what a route is to the limits. Single orders are bounded by their lane's queue.
struct InFlightBounds {
    InFlight batches;
    InFlight reads;
    InFlight admin;
};

}  // namespace firstcome::http
