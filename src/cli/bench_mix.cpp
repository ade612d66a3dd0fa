// src/cli/bench_mix.cpp - draws the next request from the shares
#include "cli/bench_mix.hpp"

namespace firstcome::cli {

void RecentOrders::sent(std::uint64_t serial) {
    // Serial numbers come in a row, so a slot is found by counting back from the newest.
    if (orders_.empty()) first_serial_ = serial;
    last_serial_ = serial;
    const Order order{.serial = serial};
    if (orders_.size() < size_max) {
        orders_.push_back(order);
        return;
    }
    orders_[next_] = order;
    next_ = (next_ + 1) % size_max;
}

RecentOrders::Order* RecentOrders::find(std::uint64_t serial) {
    if (orders_.empty() || serial < first_serial_ || serial > last_serial_) return nullptr;
    Order& order = orders_[(serial - first_serial_) % size_max];
    return order.serial == serial ? &order : nullptr;
}

const RecentOrders::Order* RecentOrders::any(std::uint64_t choice) const {
    return orders_.empty() ? nullptr : &orders_[choice % orders_.size()];
}

const RecentOrders::Order* RecentOrders::newest() const {
    if (orders_.empty()) return nullptr;
    return &orders_[(last_serial_ - first_serial_) % size_max];
}

WishSource::WishSource(std::optional<MixShares> mix, std::uint64_t first_serial, std::uint64_t seed)
    : mix_(mix), next_serial_(first_serial), state_(seed) {}

Wish WishSource::next(unsigned orders) {
    if (!mix_) return fresh(orders);
    std::uint64_t draw = chance() % mix_->sum();
    const auto within = [&draw](unsigned share) {
        if (draw < share) return true;
        draw -= share;
        return false;
    };
    std::optional<Wish> wish;
    if (within(mix_->repeated)) {
        wish = repeat();
    } else if (within(mix_->reused)) {
        wish = after_accepted(Kind::reused);
    } else if (within(mix_->over_limit)) {
        wish = after_accepted(Kind::over_limit);
    } else if (within(mix_->unknown_item)) {
        return Wish{.serial = next_serial_, .kind = Kind::unknown_item};
    }
    return wish ? *wish : fresh(1);
}

Wish WishSource::fresh(unsigned orders) {
    const Wish wish{.serial = next_serial_};
    next_serial_ += orders;
    if (mix_) recent_.sent(wish.serial);
    return wish;
}

std::optional<Wish> WishSource::repeat() {
    // Every fourth repeats the newest, which is most likely still in flight on another connection.
    const std::uint64_t draw = chance();
    const RecentOrders::Order* order = draw % 4 == 0 ? recent_.newest() : recent_.any(draw >> 2U);
    if (order == nullptr) return std::nullopt;
    return Wish{.serial = order->serial, .kind = Kind::repeated, .settled = order->accepted};
}

std::optional<Wish> WishSource::after_accepted(Kind kind) {
    constexpr int tries = 8;
    for (int at = 0; at < tries; ++at) {
        const RecentOrders::Order* order = recent_.any(chance());
        if (order != nullptr && order->accepted) return Wish{.serial = order->serial, .kind = kind};
    }
    return std::nullopt;
}

std::uint64_t WishSource::chance() {
    // splitmix64: good enough to choose by, and the same on every machine.
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
}

}  // namespace firstcome::cli
