// src/cli/bench_histogram.hpp - latencies in log-linear buckets: small, fast, within 1 %
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace firstcome::cli {

/// Counts durations from 1 ns to 18 minutes in buckets no wider than 1/128 of their value (the idea
/// of HdrHistogram); longer ones land in the last bucket, the maximum is exact.
///
/// Thread   one writes, any number read at the same time (each counter is consistent by itself)
class Histogram {
public:
    void record(std::chrono::nanoseconds latency);
    void merge(const Histogram& other);

    /// The middle of the bucket in which the given share (0..1) of all values is reached; 0 when
    /// empty.
    [[nodiscard]] std::chrono::nanoseconds percentile(double share) const;
    [[nodiscard]] std::chrono::nanoseconds max() const;
    [[nodiscard]] std::uint64_t count() const;

private:
    // 128 buckets per power of two; values below 256 ns have a bucket each.
    static constexpr unsigned sub_bits = 7;
    static constexpr unsigned value_bits = 40;
    static constexpr std::size_t bucket_count = std::size_t{value_bits - sub_bits + 1} << sub_bits;

    static std::size_t bucket_of(std::uint64_t value);
    static std::uint64_t middle_of(std::size_t bucket);

    std::array<std::atomic<std::uint64_t>, bucket_count> counts_{};
    std::atomic<std::uint64_t> total_{0};
    std::atomic<std::uint64_t> max_{0};
};

}  // namespace firstcome::cli
