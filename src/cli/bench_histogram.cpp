// src/cli/bench_histogram.cpp - bucket arithmetic of the latency histogram
#include "cli/bench_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace firstcome::cli {

namespace {

// A single writer needs no locked instruction, only a store that readers see whole.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace

std::size_t Histogram::bucket_of(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > sub_bits + 1 ? width - sub_bits - 1 : 0;
    return (std::size_t{shift} << sub_bits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::middle_of(std::size_t bucket) {
    const std::size_t shift = bucket < (2U << sub_bits) ? 0 : (bucket >> sub_bits) - 1;
    const std::uint64_t low = (bucket - (shift << sub_bits)) << shift;
    return low + ((std::uint64_t{1} << shift) >> 1U);
}

void Histogram::record(std::chrono::nanoseconds latency) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
    const std::size_t bucket = std::min(bucket_of(value), bucket_count - 1);
    add(counts_[bucket], 1);
    add(total_, 1);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
}

void Histogram::merge(const Histogram& other) {
    for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
        add(counts_[bucket], other.counts_[bucket].load(std::memory_order_relaxed));
    }
    add(total_, other.count());
    max_.store(
        std::max(max_.load(std::memory_order_relaxed), other.max_.load(std::memory_order_relaxed)),
        std::memory_order_relaxed
    );
}

std::chrono::nanoseconds Histogram::percentile(double share) const {
    const auto wanted = static_cast<std::uint64_t>(
        std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count()))
    );
    if (wanted == 0) return {};
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
        seen += counts_[bucket].load(std::memory_order_relaxed);
        if (seen < wanted) continue;
        const auto middle = static_cast<std::int64_t>(middle_of(bucket));
        return std::min(std::chrono::nanoseconds{middle}, max());
    }
    return max();
}

std::chrono::nanoseconds Histogram::max() const {
    return std::chrono::nanoseconds{
        static_cast<std::int64_t>(max_.load(std::memory_order_relaxed))};
}

std::uint64_t Histogram::count() const {
    return total_.load(std::memory_order_relaxed);
}

}  // namespace firstcome::cli
