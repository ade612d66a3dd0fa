// tests/contract/outbox_contract.hpp - what every outbox must answer
#pragma once

#include "ports/outbox.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace firstcome::test {

/// An implementation under test gives a World: an outbox that is empty at first.
///   outbox()       the port
///   clock()        the ManualClock it and `accept` use
///   accept(n)      makes n orders of one item durable, each for itself; gives them in order
///   restart()      closes the outbox and opens it again; false: it could not
/// It may give more events than order_accepted, where it says so.
template <typename World>
class OutboxContract : public ::testing::Test {
protected:
    std::vector<domain::Event> pull(std::size_t max = 1000) {
        auto pulled = world.outbox().pull(max, 0ms);
        EXPECT_TRUE(pulled.has_value());
        return pulled.value_or(std::vector<domain::Event>{});
    }

    void acknowledge(std::span<const domain::Event> events) {
        EXPECT_TRUE(world.outbox().acknowledge(events).has_value());
    }

    static std::vector<std::string> ids(std::span<const domain::Event> events) {
        std::vector<std::string> texts;
        for (const domain::Event& event : events) texts.push_back(event.id.text());
        return texts;
    }

    /// The ids of orders accepted, in order of their events.
    static std::vector<std::string> accepted(std::span<const domain::Event> events) {
        std::vector<std::string> texts;
        for (const domain::Event& event : events) {
            if (event.type == domain::EventType::order_accepted) texts.push_back(event.id.text());
        }
        return texts;
    }

    static std::vector<std::string> ids(const std::vector<domain::Order>& orders) {
        std::vector<std::string> texts;
        for (const domain::Order& order : orders) texts.push_back(order.id.text());
        return texts;
    }

    World world;
};

TYPED_TEST_SUITE_P(OutboxContract);

TYPED_TEST_P(OutboxContract, IsEmptyWhereNothingHappened) {
    EXPECT_TRUE(this->pull().empty());
    const auto after_a_wait = this->world.outbox().pull(10, 1ms);
    ASSERT_TRUE(after_a_wait.has_value());
    EXPECT_TRUE(after_a_wait->empty());
    EXPECT_EQ(this->world.outbox().depth().pending, 0U);
    EXPECT_EQ(this->world.outbox().depth().oldest_age, 0ms);
}

TYPED_TEST_P(OutboxContract, GivesEveryOrderInOrderOfArrivalWithAllThatIsKnownOfIt) {
    const auto orders = this->world.accept(3);
    const auto events = this->pull();
    EXPECT_EQ(this->accepted(events), this->ids(orders));
    std::set<std::string> positions;
    std::size_t at = 0;
    for (const domain::Event& event : events) {
        positions.insert(event.position);
        if (event.type != domain::EventType::order_accepted) continue;
        const domain::Order& order = orders[at++];
        EXPECT_EQ(event.order.id, order.id);
        EXPECT_EQ(event.order.user, order.user);
        EXPECT_EQ(event.order.item, order.item);
        EXPECT_EQ(event.order.quantity, order.quantity);
        EXPECT_EQ(event.order.sequence, order.sequence);
        EXPECT_EQ(event.order.accepted_at, order.accepted_at);
        EXPECT_EQ(event.order.durability, order.durability);
        EXPECT_EQ(event.occurred_at, order.accepted_at);
    }
    EXPECT_EQ(positions.size(), events.size()) << "each has a place of its own";
}

TYPED_TEST_P(OutboxContract, GivesTheSameAgainUntilItIsAcknowledged) {
    this->world.accept(3);
    const auto first = this->pull();
    const auto again = this->pull();
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(this->ids(again), this->ids(first));
    this->acknowledge(again);
    EXPECT_TRUE(this->pull().empty());
}

TYPED_TEST_P(OutboxContract, ForgetsOnlyTheFirstOnesThatWereAcknowledged) {
    this->world.accept(4);
    const auto events = this->pull();
    for (std::size_t known = 1; known <= events.size(); ++known) {
        const auto next = this->pull();
        ASSERT_FALSE(next.empty());
        EXPECT_EQ(next.front().id, events[known - 1].id);
        EXPECT_EQ(next.size(), events.size() - known + 1);
        this->acknowledge(std::span(next).first(1));
    }
    EXPECT_TRUE(this->pull().empty());
}

TYPED_TEST_P(OutboxContract, TakesAPullBackInPieces) {
    this->world.accept(3);
    const auto events = this->pull();
    for (const domain::Event& event : events) this->acknowledge({&event, 1});
    EXPECT_TRUE(this->pull().empty());
}

TYPED_TEST_P(OutboxContract, GivesEachEventOnceToOneWhoTakesAFewAtATime) {
    const auto orders = this->world.accept(9);
    std::vector<domain::Event> all;
    for (int round = 0; round < 100; ++round) {
        const auto few = this->pull(2);
        if (few.empty()) break;
        all.insert(all.end(), few.begin(), few.end());
        this->acknowledge(few);
    }
    EXPECT_EQ(this->accepted(all), this->ids(orders));
    const auto each = this->ids(all);
    EXPECT_EQ(std::set<std::string>(each.begin(), each.end()).size(), each.size());
}

TYPED_TEST_P(OutboxContract, GoesOnWithWhatComesLater) {
    this->world.accept(1);
    this->acknowledge(this->pull());
    EXPECT_TRUE(this->pull().empty());
    const auto later = this->world.accept(2);
    EXPECT_EQ(this->accepted(this->pull()), this->ids(later));
}

TYPED_TEST_P(OutboxContract, KnowsAfterARestartWhatWasAcknowledged) {
    this->world.accept(3);
    const auto events = this->pull();
    const auto known = events.size() / 2;
    this->acknowledge(std::span(events).first(known));
    ASSERT_TRUE(this->world.restart());
    EXPECT_EQ(this->ids(this->pull()), this->ids(std::span(events).subspan(known)));
}

TYPED_TEST_P(OutboxContract, TellsHowMuchWaitsAndSinceWhen) {
    this->world.accept(2);
    this->world.clock().pass(5s);
    this->world.accept(1);
    this->world.clock().pass(1s);
    const auto events = this->pull();
    EXPECT_GE(this->world.outbox().depth().pending, events.size());
    EXPECT_EQ(this->world.outbox().depth().oldest_age, 6s);
    const auto last = std::ranges::find(events, this->accepted(events).back(), [](const auto& e) {
        return e.id.text();
    });
    this->acknowledge({events.begin(), last});
    EXPECT_EQ(this->world.outbox().depth().oldest_age, 1s);
    this->acknowledge({last, events.end()});
    EXPECT_EQ(this->world.outbox().depth().pending, 0U);
    EXPECT_EQ(this->world.outbox().depth().oldest_age, 0ms);
}

REGISTER_TYPED_TEST_SUITE_P(
    OutboxContract,
    IsEmptyWhereNothingHappened,
    GivesEveryOrderInOrderOfArrivalWithAllThatIsKnownOfIt,
    GivesTheSameAgainUntilItIsAcknowledged,
    ForgetsOnlyTheFirstOnesThatWereAcknowledged,
    TakesAPullBackInPieces,
    GivesEachEventOnceToOneWhoTakesAFewAtATime,
    GoesOnWithWhatComesLater,
    KnowsAfterARestartWhatWasAcknowledged,
    TellsHowMuchWaitsAndSinceWhen
);

}  // namespace firstcome::test
