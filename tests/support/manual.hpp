// tests/support/manual.hpp - time and chance that a test sets by hand
#pragma once

#include "base/entropy.hpp"
#include "base/time.hpp"

#include <chrono>
#include <cstdint>

namespace firstcome::test {

using namespace std::chrono_literals;

/// Both clocks stand still until moved; the wall clock can be stepped alone.
class ManualClock final : public base::Clock {
public:
    [[nodiscard]] base::MonotonicTime monotonic() const override { return monotonic_; }

    [[nodiscard]] base::WallTime wall() const override { return wall_; }

    void pass(std::chrono::milliseconds by) {
        monotonic_ += by;
        wall_ += by;
    }

    void step_wall(std::chrono::milliseconds by) { wall_ += by; }

private:
    base::MonotonicTime monotonic_{std::chrono::hours{100}};
    base::WallTime wall_{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};
};

/// A small generator with a seed: the same words in every run.
class SeededEntropy final : public base::Entropy {
public:
    explicit SeededEntropy(std::uint64_t seed = 1) : state_(seed) {}

    // SplitMix64
    [[nodiscard]] std::uint64_t next() override {
        state_ += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31U);
    }

private:
    std::uint64_t state_;
};

}  // namespace firstcome::test
