// tests/adapters/guarded/found_anyway_test.cpp - found wherever it is, and it never goes back
#include "adapters/guarded/found_anyway.hpp"

#include "adapters/guarded/store.hpp"
#include "tests/adapters/guarded/world.hpp"

#include <gtest/gtest.h>

namespace firstcome::test {
namespace {

using domain::Order;
using domain::OrderStatus;
using ports::StoreError;
using resilience::BreakerState;
using FoundOrder = std::expected<std::optional<Order>, StoreError>;

Order order_of(std::uint64_t number, OrderStatus status) {
    Order order;
    order.id = {.high = number, .low = number};
    order.user = user("ann");
    order.item = item("shoe");
    order.status = status;
    return order;
}

/// As the test tells it.
class ToldStore final : public ports::OrderStore {
public:
    struct Told {
        FoundOrder order;
        int asked = 0;
    };

    explicit ToldStore(Told& told) : told_(told) {}

    FoundOrder find(domain::OrderId) override {
        ++told_.asked;
        return told_.order;
    }

    std::expected<ports::OrderPage, StoreError> list(const ports::OrderQuery&) override {
        ++told_.asked;
        if (!told_.order) return std::unexpected(told_.order.error());
        ports::OrderPage page;
        if (*told_.order) page.orders.push_back(**told_.order);
        return page;
    }

private:
    Told& told_;
};

class OrdersFoundAnyway : public testing::Test {
protected:
    BreakerState state() { return breaker_.figures(clock_.monotonic()).state; }

    std::string_view status(const Order& order) {
        const auto found = orders_.find(order.id);
        if (!found) return name(found.error());
        return *found ? name((*found)->status) : "not there";
    }

    const Order waiting_ = order_of(1, OrderStatus::processing);
    const Order confirmed_ = order_of(1, OrderStatus::confirmed);
    ManualClock clock_;
    ToldStore::Told store_;
    std::function<FoundOrder()> outbox_ = [] { return FoundOrder{}; };
    std::expected<void, StoreError> stored_;
    std::chrono::milliseconds waits_{0};
    int waited_ = 0;
    resilience::CircuitBreaker breaker_{
        "postgres", {.slow_call_duration_threshold = 500ms}, some_chance()};
    guarded::ShownOrders shown_{2};
    guarded::FoundAnyway orders_{
        std::make_unique<guarded::Store>(std::make_unique<ToldStore>(store_), breaker_, clock_),
        {.find = [this](domain::OrderId) { return outbox_(); },
         .wait_until_stored =
             [this] {
                 ++waited_;
                 clock_.pass(waits_);
                 return stored_;
             },
         .store_is_asked = [this] { return state() != BreakerState::open; }},
        shown_};
};

TEST_F(OrdersFoundAnyway, WhileAnOrderMovesFromTheOutboxToTheStore) {
    outbox_ = [&] { return FoundOrder{waiting_}; };
    EXPECT_EQ(status(waiting_), "processing");
    outbox_ = [&] {
        store_.order = confirmed_;  // just now, between the two looks
        return FoundOrder{};
    };
    EXPECT_EQ(status(waiting_), "confirmed");
    store_.order = std::nullopt;
    outbox_ = [] { return FoundOrder{}; };
    EXPECT_EQ(status(order_of(2, OrderStatus::processing)), "not there");
}

TEST_F(OrdersFoundAnyway, AnOutboxThatCannotBeAskedIsNoReasonToSayItDoesNotExist) {
    outbox_ = []() -> FoundOrder { return std::unexpected(StoreError::unavailable); };
    EXPECT_EQ(status(waiting_), "unavailable");
    store_.order = confirmed_;
    EXPECT_EQ(status(waiting_), "confirmed");
}

TEST_F(OrdersFoundAnyway, AStoreThatCannotBeAskedLeavesWhatWaits) {
    store_.order = std::unexpected(StoreError::unavailable);
    EXPECT_EQ(status(waiting_), "unavailable") << "it may be stored";
    outbox_ = [&] { return FoundOrder{waiting_}; };
    EXPECT_EQ(status(waiting_), "processing");
    store_.order = std::unexpected(StoreError::corrupt);
    EXPECT_EQ(status(waiting_), "corrupt");
}

// Its relay committed it and died before it could acknowledge; then PostgreSQL went away.
TEST_F(OrdersFoundAnyway, AnOrderOnceShownAsConfirmedIsNotProcessingAgain) {
    outbox_ = [&] { return FoundOrder{waiting_}; };
    store_.order = confirmed_;
    EXPECT_EQ(status(confirmed_), "confirmed");
    store_.order = std::unexpected(StoreError::unavailable);
    EXPECT_EQ(status(confirmed_), "confirmed");
    store_.order = order_of(2, OrderStatus::failed);
    EXPECT_EQ(orders_.list({})->orders.size(), 1U);
    store_.order = std::unexpected(StoreError::unavailable);
    EXPECT_EQ(status(order_of(2, OrderStatus::processing)), "failed") << "a list shows it too";
}

TEST_F(OrdersFoundAnyway, RemembersTheLastOnesOnly) {
    for (const std::uint64_t number : {1U, 2U, 2U, 3U}) {
        shown_.note(order_of(number, OrderStatus::confirmed));
    }
    shown_.note(order_of(4, OrderStatus::processing));
    EXPECT_FALSE(shown_.find(order_of(1, OrderStatus::confirmed).id));
    EXPECT_TRUE(shown_.find(order_of(2, OrderStatus::confirmed).id));
    EXPECT_TRUE(shown_.find(order_of(3, OrderStatus::confirmed).id));
    EXPECT_FALSE(shown_.find(order_of(4, OrderStatus::processing).id)) << "may still change";
}

TEST_F(OrdersFoundAnyway, WhatTheWayTakesOrFailsAtIsNotTheStoresFault) {
    waits_ = 2s;
    for (int read = 0; read < 30; ++read) EXPECT_TRUE(orders_.list({}).has_value());
    stored_ = std::unexpected(StoreError::unavailable);
    outbox_ = []() -> FoundOrder { return std::unexpected(StoreError::unavailable); };
    for (int read = 0; read < 30; ++read) {
        EXPECT_EQ(orders_.list({}).error(), StoreError::unavailable);
        EXPECT_EQ(status(waiting_), "unavailable");
    }
    EXPECT_EQ(state(), BreakerState::closed) << "or the relay would stand still behind it";
}

TEST_F(OrdersFoundAnyway, AListOfAStoreThatIsNotAskedDoesNotWait) {
    breaker_.turn_to(BreakerState::open, clock_.monotonic());
    EXPECT_EQ(orders_.list({}).error(), StoreError::unavailable);
    EXPECT_EQ(waited_, 0);
    EXPECT_EQ(store_.asked, 0);
}

}  // namespace
}  // namespace firstcome::test
