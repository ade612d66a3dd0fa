// src/cli/bench_witness.hpp - what the answers said, and every broken promise seen
#pragma once

#include "base/time.hpp"
#include "cli/bench_answer.hpp"
#include "cli/bench_histogram.hpp"
#include "cli/bench_mix.hpp"
#include "cli/bench_request.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::cli {

/// The sequence numbers of one item, one bit each.
class SequenceSet {
public:
    /// False when it was there already, or is no sequence number (0, or above 2^36).
    bool insert(std::uint64_t sequence);
    /// How many of the other's were here already.
    std::uint64_t merge(const SequenceSet& other);

    [[nodiscard]] std::uint64_t count() const { return count_; }

    [[nodiscard]] std::uint64_t lowest() const { return lowest_; }

    [[nodiscard]] std::uint64_t highest() const { return highest_; }

    /// Numbers missing between the lowest and the highest.
    [[nodiscard]] std::uint64_t gaps() const;

private:
    static constexpr std::uint64_t chunk_bits = std::uint64_t{1} << 19U;
    static constexpr std::uint64_t sequence_max = std::uint64_t{1} << 36U;
    using Chunk = std::array<std::uint64_t, chunk_bits / 64>;

    std::vector<std::unique_ptr<Chunk>> chunks_;
    std::uint64_t count_ = 0;
    std::uint64_t lowest_ = 0;
    std::uint64_t highest_ = 0;
};

/// An accepted order as its 202 told it, to be compared with what a GET says later.
struct AcceptedOrder {
    std::uint64_t serial = 0;
    std::uint64_t sequence = 0;
    std::uint64_t accepted_at_hash = 0;
    std::array<char, 36> id{};
};

/// Sentences about what went wrong: all are counted, the first few different ones kept.
struct Findings {
    std::uint64_t count = 0;
    std::vector<std::string> first;

    void add(std::string sentence);
    void merge(const Findings& other);

private:
    void keep(std::string sentence);

    static constexpr std::size_t kept_max = 10;
};

/// Counters a progress display may read while one thread writes them.
struct LiveCounts {
    std::atomic<std::uint64_t> calls{0};
    std::atomic<std::uint64_t> answers{0};  ///< of orders; a batch call has many
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> unknown{0};  ///< sent, and never answered
    std::atomic<std::uint64_t> connection_errors{0};
};

/// Collects what one engine thread sees; merged when all have ended.
///
/// Thread   one writes; `live`, `accepted_latency` and `other_latency` may be read meanwhile
class Witness {
public:
    /// Keeps a random sample of so many accepted orders; `keep_all` for every one.
    Witness(std::uint64_t sample_max, std::uint64_t seed) : sample_max_(sample_max), seed_(seed) {}

    struct Timing {
        base::MonotonicTime sent;
        base::MonotonicTime received;
    };

    /// One order's answer. `recent`: the orders of this thread that may be repeated, else null.
    void answered(const Wish& wish, const OrderAnswer& answer, Timing timing, RecentOrders* recent);
    void lost(std::uint64_t orders);
    void connection_error(std::string_view what);

    void merge(const Witness& other);

    struct AnswerCount {
        int status = 0;
        std::string code;
        std::uint64_t count = 0;
    };

    LiveCounts live;
    Histogram accepted_latency;  ///< of calls
    Histogram other_latency;
    std::vector<AnswerCount> answers;
    SequenceSet sequences;
    std::vector<AcceptedOrder> accepted_orders;
    std::vector<AcceptedOrder> first_orders;  ///< the lowest sequences, ascending
    std::uint64_t replays = 0;
    std::uint64_t replays_compared = 0;  ///< found byte-identical to the first answer
    std::uint64_t retries = 0;
    std::uint64_t never_sent = 0;  ///< open loop: due, but the run ended before
    Findings broken;               ///< promises
    Findings faults;               ///< connections
    base::MonotonicTime first_sold_out = base::MonotonicTime::max();
    base::MonotonicTime last_accepted_sent = base::MonotonicTime::min();

    static constexpr std::size_t first_orders_max = 10;
    static constexpr std::uint64_t keep_all = ~std::uint64_t{0};

private:
    void count(const OrderAnswer& answer);
    void accept(const Wish& wish, const OrderAnswer& answer, Timing timing, RecentOrders* recent);
    [[nodiscard]] bool is_replay(
        const Wish& wish, const OrderAnswer& answer, RecentOrders::Order* known
    );
    void keep(const AcceptedOrder& order);
    void check_expected(const Wish& wish, const OrderAnswer& answer);

    std::uint64_t sample_max_;
    std::uint64_t seed_;
    std::uint64_t offered_ = 0;
    std::size_t last_answer_ = 0;
};

}  // namespace firstcome::cli
