// src/cli/bench_mix.hpp - which request comes next, and the recent orders that may be repeated
#pragma once

#include "base/time.hpp"
#include "cli/bench_options.hpp"
#include "cli/bench_request.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace firstcome::cli {

/// One call to make.
struct Wish {
    std::uint64_t serial = 0;
    Kind kind = Kind::fresh;
    bool settled = false;            ///< repeated: the first was answered 202 before this was sent
    unsigned attempts = 0;           ///< sent so often without a definite answer
    base::MonotonicTime intended{};  ///< when it should have been sent; latency counts from here
};

/// What the last orders were answered, so that repeats can be chosen and compared: bounded memory,
/// the oldest is forgotten first.
///
/// Thread   one
class RecentOrders {
public:
    struct Order {
        std::uint64_t serial = 0;
        std::uint64_t body_hash = 0;
        bool accepted = false;
        bool made = false;  ///< one answer came without the replay mark
    };

    void sent(std::uint64_t serial);
    /// Nothing when it has been forgotten.
    [[nodiscard]] Order* find(std::uint64_t serial);
    /// One of those still remembered, by a number of the caller's choice; nothing when none is
    /// there.
    [[nodiscard]] const Order* any(std::uint64_t choice) const;
    [[nodiscard]] const Order* newest() const;

private:
    static constexpr std::size_t size_max = 65'536;
    std::vector<Order> orders_;  // a ring
    std::size_t next_ = 0;
    std::uint64_t first_serial_ = 0;
    std::uint64_t last_serial_ = 0;
};

/// Hands out wishes in the shares of the mix; without a mix all are new.
///
/// Thread   one; equal seeds give equal wishes
class WishSource {
public:
    WishSource(std::optional<MixShares> mix, std::uint64_t first_serial, std::uint64_t seed);

    /// `orders`: how many serial numbers the call uses up.
    [[nodiscard]] Wish next(unsigned orders);

    [[nodiscard]] bool mixed() const { return mix_.has_value(); }

    [[nodiscard]] RecentOrders& recent() { return recent_; }

private:
    [[nodiscard]] Wish fresh(unsigned orders);
    [[nodiscard]] std::optional<Wish> repeat();
    [[nodiscard]] std::optional<Wish> after_accepted(Kind kind);
    [[nodiscard]] std::uint64_t chance();

    std::optional<MixShares> mix_;
    std::uint64_t next_serial_;
    std::uint64_t state_;
    RecentOrders recent_;
};

}  // namespace firstcome::cli
