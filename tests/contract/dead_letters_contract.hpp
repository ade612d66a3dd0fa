// tests/contract/dead_letters_contract.hpp - what every table of dead letters must answer
#pragma once

#include "ports/dead_letters.hpp"
#include "tests/support/dead_letters.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::test {

using ports::Cause;
using ports::DeadLetter;
using ports::DeadLetterError;
using ports::DeadLetterFilter;
using ports::DeadLetterId;
using ports::DeadLetterStatus;

/// An implementation under test gives a World: one table, used by two nodes.
///   letters()            the first node's port
///   other()              the second node's, over the same table
///   audits()             the audit rows, each as "who: reason", oldest first
///   restart()            both nodes end and start again; false where nothing outlives the process
template <typename World>
class DeadLettersContract : public ::testing::Test {
protected:
    DeadLetterId park(
        const domain::Event& event,
        std::string_view consumer = "orders",
        const ports::DeliveryFailure& failure = refused()
    ) {
        EXPECT_TRUE(world.letters().park(event, consumer, failure, now, now + 1s).has_value());
        return newest().id;
    }

    /// Parked, claimed, failed for good.
    DeadLetterId park_dead(const domain::Event& event, std::string_view consumer = "orders") {
        const DeadLetterId id = park(event, consumer);
        claim_at(now + 1s, consumer);
        fail(id, now + 1s, std::nullopt);
        return id;
    }

    DeadLetter newest() { return world.letters().list({}, 1, std::nullopt).value().entries.at(0); }

    DeadLetter entry(DeadLetterId id) { return world.letters().find(id).value().value(); }

    std::vector<DeadLetterId> claim_at(
        domain::WallTime at, std::string_view consumer = "orders", std::size_t max = 100
    ) {
        return ids(world.letters().claim_due(consumer, at, at + 30s, max).value());
    }

    void fail(
        DeadLetterId id,
        domain::WallTime at,
        std::optional<domain::WallTime> next,
        bool counts = true
    ) {
        const auto done = world.letters().failed_again(id, refused("again"), counts, at, next);
        EXPECT_TRUE(done.has_value());
    }

    std::vector<DeadLetterId> listed(const DeadLetterFilter& filter) {
        auto page = world.letters().list(filter, 100, std::nullopt).value();
        EXPECT_EQ(page.total, page.entries.size());
        return ids(page.entries);
    }

    static std::vector<DeadLetterId> ids(const std::vector<DeadLetter>& entries) {
        std::vector<DeadLetterId> found;
        for (const DeadLetter& letter : entries) found.push_back(letter.id);
        return found;
    }

    World world;
    const domain::WallTime now = ManualClock{}.wall();
};

TYPED_TEST_SUITE_P(DeadLettersContract);

TYPED_TEST_P(DeadLettersContract, GivesTheEventBackAsItWasParkedAlsoAfterARestart) {
    domain::Event wide = accepted_event(7);
    wide.key = domain::KeyHash{.high = ~0ULL, .low = 1ULL << 63U};
    wide.trace = {.trace_high = ~0ULL, .trace_low = 1, .span = 1ULL << 63U, .sampled = true};
    wide.order.durability = domain::Durability::database;
    domain::Event plain = accepted_event(8);
    plain.type = domain::EventType::stock_sold_out;
    plain.order.status = domain::OrderStatus::failed;
    plain.order.durability = domain::Durability::redis;
    plain.remaining = 3;
    plain.total = domain::stock_units_max;
    const DeadLetterId first = this->park(wide);
    const DeadLetterId second = this->park(plain, "webhook", refused("no", Cause::rejected));
    for (const bool restarted : {false, true}) {
        if (restarted && !this->world.restart()) break;
        EXPECT_EQ(spoken(this->entry(first).event), spoken(wide));
        EXPECT_EQ(spoken(this->entry(second).event), spoken(plain));
        const DeadLetter letter = this->entry(second);
        EXPECT_EQ(letter.consumer, "webhook");
        EXPECT_EQ(letter.cause, Cause::rejected);
        EXPECT_EQ(letter.last_error, "no");
        EXPECT_EQ(letter.attempts, 1U);
        EXPECT_EQ(letter.first_failure, this->now);
        EXPECT_EQ(letter.last_failure, this->now);
        EXPECT_EQ(letter.next_attempt, this->now + 1s);
        EXPECT_EQ(letter.status, DeadLetterStatus::retrying);
    }
}

TYPED_TEST_P(DeadLettersContract, ParkingTheSameEventAgainChangesNothing) {
    const DeadLetterId id = this->park(accepted_event(1));
    const auto later = this->now + 5s;
    const auto again = refused("other", Cause::duplicate);
    for (auto* node : {&this->world.letters(), &this->world.other()}) {
        EXPECT_TRUE(node->park(accepted_event(1), "orders", again, later, later + 1s).has_value());
    }
    EXPECT_EQ(this->listed({}), std::vector{id});
    EXPECT_EQ(this->entry(id).cause, Cause::invalid);
    EXPECT_EQ(this->entry(id).last_failure, this->now);
    const DeadLetterId of_another_consumer = this->park(accepted_event(1), "webhook");
    EXPECT_EQ(this->listed({}), (std::vector{of_another_consumer, id}));
}

TYPED_TEST_P(DeadLettersContract, ATransientCauseUsesUpNoAttempt) {
    const auto gone = refused("gone", Cause::unavailable);
    const DeadLetterId id = this->park(accepted_event(1), "orders", gone);
    EXPECT_EQ(this->entry(id).attempts, 0U);
    this->claim_at(this->now + 1s);
    this->fail(id, this->now + 1s, this->now + 2s, false);
    EXPECT_EQ(this->entry(id).attempts, 0U);
    this->claim_at(this->now + 2s);
    this->fail(id, this->now + 2s, this->now + 4s, true);
    EXPECT_EQ(this->entry(id).attempts, 1U);
    EXPECT_EQ(this->entry(id).last_failure, this->now + 2s);
    EXPECT_EQ(this->entry(id).first_failure, this->now);
    EXPECT_EQ(this->entry(id).next_attempt, this->now + 4s);
    EXPECT_EQ(this->entry(id).last_error, "again");
}

TYPED_TEST_P(DeadLettersContract, KeepsAnErrorOfAnyBytes) {
    const std::string bytes{"\xff\x00 \xc3( caf\xc3\xa9", 11};
    const DeadLetterId id = this->park(accepted_event(1), "orders", refused(bytes));
    EXPECT_TRUE(this->entry(id).last_error.ends_with("( caf\xc3\xa9"));
}

TYPED_TEST_P(DeadLettersContract, ClaimsWhatIsDueForItsConsumerOldestFirst) {
    const auto at = this->now;
    auto& letters = this->world.letters();
    ASSERT_TRUE(letters.park(accepted_event(1), "orders", refused(), at, at + 3s).has_value());
    ASSERT_TRUE(letters.park(accepted_event(2), "orders", refused(), at, at + 2s).has_value());
    ASSERT_TRUE(letters.park(accepted_event(3), "webhook", refused(), at, at + 1s).has_value());
    ASSERT_TRUE(letters.park(accepted_event(4), "orders", refused(), at, at + 2s).has_value());
    const auto all = this->listed({});
    const DeadLetterId one = all[3], two = all[2], four = all[0];
    EXPECT_TRUE(this->claim_at(at + 2s - 1ms).empty());
    EXPECT_EQ(this->claim_at(at + 2s, "orders", 1), std::vector{two});
    EXPECT_EQ(this->claim_at(at + 3s), (std::vector{four, one}));
    EXPECT_EQ(this->claim_at(at + 3s, "webhook"), std::vector{all[1]});
}

TYPED_TEST_P(DeadLettersContract, GivesAnEntryToOneNodeUntilTheClaimEnds) {
    const DeadLetterId id = this->park(accepted_event(1));
    const auto due = this->now + 1s;
    EXPECT_EQ(this->claim_at(due), std::vector{id});
    auto& other = this->world.other();
    EXPECT_TRUE(other.claim_due("orders", due + 30s - 1ms, due + 60s, 10).value().empty());
    EXPECT_EQ(
        this->ids(other.claim_due("orders", due + 30s, due + 60s, 10).value()), std::vector{id}
    );

    // The first node was only slow: what it says now must not disturb the one that has the entry.
    const auto stale =
        this->world.letters().failed_again(id, refused("late"), true, due + 31s, due + 32s);
    EXPECT_EQ(stale, std::unexpected(DeadLetterError::in_the_way));
    EXPECT_TRUE(this->claim_at(due + 40s).empty());
    EXPECT_TRUE(other.failed_again(id, refused("mine"), true, due + 41s, due + 50s).has_value());
    EXPECT_EQ(this->entry(id).last_error, "mine");
    EXPECT_EQ(this->claim_at(due + 50s), std::vector{id});
}

TYPED_TEST_P(DeadLettersContract, ADeliveryIsAFactWhoeverHasTheClaim) {
    const DeadLetterId id = this->park(accepted_event(1));
    this->claim_at(this->now + 1s);
    auto& other = this->world.other();
    ASSERT_EQ(other.claim_due("orders", this->now + 40s, this->now + 70s, 1).value().size(), 1U);
    EXPECT_TRUE(this->world.letters().resolve(id, this->now + 41s).has_value());
    EXPECT_TRUE(other.resolve(id, this->now + 42s).has_value());
    EXPECT_EQ(this->entry(id).status, DeadLetterStatus::resolved);
    EXPECT_TRUE(this->claim_at(this->now + 999s).empty());
}

TYPED_TEST_P(DeadLettersContract, WhatIsDeadWaitsForAPerson) {
    const DeadLetterId id = this->park_dead(accepted_event(1));
    EXPECT_EQ(this->entry(id).status, DeadLetterStatus::dead);
    EXPECT_EQ(this->entry(id).attempts, 2U);
    EXPECT_FALSE(this->entry(id).next_attempt.has_value());
    EXPECT_TRUE(this->claim_at(this->now + 999s).empty());
    const DeadLetter tried = this->world.letters().retry(id, this->now + 10s).value();
    EXPECT_EQ(tried.status, DeadLetterStatus::retrying);
    EXPECT_EQ(tried.attempts, 0U);
    EXPECT_EQ(tried.next_attempt, this->now + 10s);
    EXPECT_EQ(this->claim_at(this->now + 10s), std::vector{id});
}

TYPED_TEST_P(DeadLettersContract, WhatIsBeingTriedIsNeitherRetriedNorGivenUp) {
    const DeadLetterId id = this->park(accepted_event(1));
    const auto due = this->now + 1s;
    this->claim_at(due);
    auto& other = this->world.other();
    EXPECT_EQ(other.retry(id, due + 1s).error(), DeadLetterError::in_the_way);
    EXPECT_EQ(other.discard(id, "no", "eve", due + 1s).error(), DeadLetterError::in_the_way);
    EXPECT_TRUE(this->world.audits().empty());
    this->fail(id, due + 2s, due + 100s);
    EXPECT_TRUE(other.retry(id, due + 3s).has_value());
    EXPECT_TRUE(other.discard(id, "now", "eve", due + 3s).has_value());
}

TYPED_TEST_P(DeadLettersContract, AClaimThatEndedHoldsNobodyUp) {
    const DeadLetterId id = this->park(accepted_event(1));
    this->claim_at(this->now + 1s);
    EXPECT_TRUE(this->world.other().discard(id, "gone", "eve", this->now + 31s).has_value());
    const auto late = this->world.letters().resolve(id, this->now + 32s);
    EXPECT_EQ(late, std::unexpected(DeadLetterError::in_the_way));
    EXPECT_EQ(this->entry(id).status, DeadLetterStatus::discarded);
}

TYPED_TEST_P(DeadLettersContract, WhatIsSettledStaysSettled) {
    const DeadLetterId delivered = this->park(accepted_event(1));
    const DeadLetterId given_up = this->park(accepted_event(2));
    this->claim_at(this->now + 1s);
    auto& letters = this->world.letters();
    ASSERT_TRUE(letters.resolve(delivered, this->now + 2s).has_value());
    this->fail(given_up, this->now + 2s, std::nullopt);
    ASSERT_TRUE(letters.discard(given_up, "no", "eve", this->now + 3s).has_value());
    const auto later = this->now + 999s;
    for (const DeadLetterId id : {delivered, given_up}) {
        EXPECT_EQ(letters.retry(id, later).error(), DeadLetterError::in_the_way);
        EXPECT_EQ(letters.discard(id, "x", "eve", later).error(), DeadLetterError::in_the_way);
        EXPECT_EQ(
            letters.failed_again(id, refused(), true, later, later).error(),
            DeadLetterError::in_the_way
        );
        EXPECT_FALSE(this->entry(id).next_attempt.has_value());
    }
    EXPECT_EQ(letters.resolve(given_up, later).error(), DeadLetterError::in_the_way);
    EXPECT_EQ(letters.compensated(delivered).error(), DeadLetterError::in_the_way);
    EXPECT_TRUE(this->claim_at(later).empty());
    EXPECT_EQ(this->listed({.status = DeadLetterStatus::resolved}), std::vector{delivered});
    EXPECT_EQ(this->world.audits().size(), 1U);
    // Parked once more, since a crash came between parking and the outbox: it stays settled.
    EXPECT_TRUE(letters.park(accepted_event(1), "orders", refused(), later, later + 1s).has_value()
    );
    EXPECT_EQ(this->entry(delivered).status, DeadLetterStatus::resolved);
}

TYPED_TEST_P(DeadLettersContract, AGivenUpEntryIsUndoneUntilItsUnitsAreBack) {
    const DeadLetterId order = this->park(accepted_event(1));
    const DeadLetterId notice = this->park_dead(accepted_event(2), "webhook");
    const DeadLetter gone =
        this->world.letters().discard(order, "bad row", "eve", this->now + 9s).value();
    EXPECT_EQ(gone.id, order);
    EXPECT_EQ(gone.status, DeadLetterStatus::discarded);
    EXPECT_EQ(spoken(gone.event), spoken(accepted_event(1)));
    ASSERT_TRUE(this->world.other().discard(notice, "old", "bob", this->now + 9s).has_value());
    EXPECT_EQ(this->world.audits(), (std::vector<std::string>{"eve: bad row", "bob: old"}));
    this->world.restart();
    EXPECT_EQ(this->ids(this->world.other().undone(1).value()), std::vector{order});
    EXPECT_EQ(this->ids(this->world.letters().undone(9).value()), (std::vector{order, notice}));
    for (int times = 0; times < 2; ++times) {
        EXPECT_TRUE(this->world.letters().compensated(order).has_value());
        EXPECT_EQ(this->ids(this->world.letters().undone(9).value()), std::vector{notice});
    }
}

TYPED_TEST_P(DeadLettersContract, ForgetsWhatWasSettledLongAgoAndNothingElse) {
    auto& letters = this->world.letters();
    const auto settled = this->now + 9s;
    const DeadLetterId delivered = this->park(accepted_event(1));
    const DeadLetterId later = this->park(accepted_event(2));
    const DeadLetterId order = this->park(accepted_event(3));
    const DeadLetterId notice = this->park_dead(accepted_event(4), "webhook");
    const DeadLetterId undone = this->park_dead(accepted_event(5), "webhook");
    const DeadLetterId dead = this->park_dead(accepted_event(6), "webhook");
    const DeadLetterId retrying = this->park(accepted_event(7), "webhook");
    ASSERT_TRUE(letters.resolve(delivered, settled).has_value());
    ASSERT_TRUE(letters.resolve(later, settled + 2s).has_value());
    for (const DeadLetterId id : {order, notice, undone}) {
        ASSERT_TRUE(letters.discard(id, "no", "eve", settled + 1s).has_value());
        if (id == undone) continue;
        ASSERT_TRUE(letters.compensated(id).has_value());
    }
    EXPECT_EQ(letters.forget_settled(settled, 9), 0U) << "none is older";
    EXPECT_EQ(letters.forget_settled(settled + 2s, 1), 1U);
    EXPECT_FALSE(letters.find(delivered).value().has_value()) << "the longest ago goes first";
    EXPECT_EQ(this->world.other().forget_settled(settled + 2s, 9), 1U);
    EXPECT_FALSE(letters.find(notice).value().has_value());
    using Ids = std::vector<DeadLetterId>;
    EXPECT_EQ(this->listed({}), (Ids{retrying, dead, undone, order, later}))
        << "open, not made good, young, or all that is known of an order";
    EXPECT_EQ(this->world.audits().size(), 3U) << "the audit stays";
}

TYPED_TEST_P(DeadLettersContract, CountsWhatIsOpenAndTheUnitsItHolds) {
    auto& letters = this->world.letters();
    EXPECT_FALSE(letters.totals().value().oldest.has_value());
    const DeadLetterId settled = this->park(accepted_event(1));
    this->claim_at(this->now + 1s);
    ASSERT_TRUE(letters.resolve(settled, this->now + 1s).has_value());
    this->park_dead(accepted_event(2, "shoe", 5));
    this->park_dead(accepted_event(3, "shoe", 7), "webhook");
    const auto late = this->now + 60s;
    const auto failure = refused("twice", Cause::duplicate);
    ASSERT_TRUE(letters.park(accepted_event(4, "hat", 2), "orders", failure, late, late).has_value()
    );
    this->park(accepted_event(5, "shoe", 1));
    const auto totals = letters.totals().value();
    EXPECT_EQ(totals.retrying, 2U);
    EXPECT_EQ(totals.dead, 2U);
    EXPECT_EQ(totals.oldest, this->now);
    EXPECT_EQ(
        totals.by_cause,
        (std::map<Cause, std::uint64_t>{{Cause::invalid, 3}, {Cause::duplicate, 1}})
    );
    EXPECT_EQ(
        totals.units, (std::map<domain::ItemId, domain::Units>{{item("hat"), 2}, {item("shoe"), 6}})
    );
}

TYPED_TEST_P(DeadLettersContract, HoldsUnitsOfWhatWasGivenUpUntilTheyAreBack) {
    auto& letters = this->world.letters();
    const DeadLetterId id = this->park(accepted_event(1, "shoe", 5));
    ASSERT_TRUE(letters.discard(id, "no", "eve", this->now).has_value());
    const auto undone = letters.totals().value();
    EXPECT_EQ(undone.retrying, 0U);
    EXPECT_TRUE(undone.by_cause.empty());
    EXPECT_FALSE(undone.oldest.has_value());
    EXPECT_EQ(undone.units, (std::map<domain::ItemId, domain::Units>{{item("shoe"), 5}}));
    ASSERT_TRUE(letters.compensated(id).has_value());
    EXPECT_TRUE(letters.totals().value().units.empty());
}

TYPED_TEST_P(DeadLettersContract, ListsWhatMatchesTheFilter) {
    const DeadLetterId dead = this->park_dead(accepted_event(1, "shoe"));
    const DeadLetterId hat = this->park(accepted_event(2, "hat"));
    const DeadLetterId twice =
        this->park(accepted_event(3, "hat"), "webhook", refused("x", Cause::duplicate));
    using Ids = std::vector<DeadLetterId>;
    EXPECT_EQ(this->listed({}), (Ids{twice, hat, dead}));
    EXPECT_EQ(this->listed({.status = DeadLetterStatus::dead}), Ids{dead});
    EXPECT_EQ(this->listed({.status = DeadLetterStatus::retrying}), (Ids{twice, hat}));
    EXPECT_EQ(this->listed({.cause = Cause::duplicate}), Ids{twice});
    EXPECT_EQ(this->listed({.item = item("hat")}), (Ids{twice, hat}));
    EXPECT_EQ(this->listed({.consumer = "orders"}), (Ids{hat, dead}));
    EXPECT_EQ(
        this->listed(
            {.status = DeadLetterStatus::retrying, .item = item("hat"), .consumer = "orders"}
        ),
        Ids{hat}
    );
    EXPECT_EQ(this->listed({.item = item("sock")}), Ids{});
}

TYPED_TEST_P(DeadLettersContract, ListsNewestFirstPageByPage) {
    std::vector<DeadLetterId> parked;
    for (unsigned i = 1; i <= 5; ++i) {
        parked.insert(parked.begin(), this->park(accepted_event(i, i == 3 ? "hat" : "shoe")));
    }
    parked.erase(parked.begin() + 2);
    std::vector<DeadLetterId> seen;
    std::optional<DeadLetterId> below;
    for (const std::size_t expected : {2U, 2U}) {
        auto page = this->world.letters().list({.item = item("shoe")}, 2, below).value();
        EXPECT_EQ(page.entries.size(), expected);
        EXPECT_EQ(page.total, 4U);
        for (const DeadLetterId id : this->ids(page.entries)) seen.push_back(id);
        below = page.next;
    }
    EXPECT_EQ(seen, parked);
    EXPECT_FALSE(below.has_value());
    EXPECT_FALSE(this->world.letters().find(parked[0] + 1).value().has_value());
}

TYPED_TEST_P(DeadLettersContract, SaysWhenThereIsNoSuchEntryOrTask) {
    auto& letters = this->world.letters();
    const auto none = std::unexpected(DeadLetterError::not_found);
    EXPECT_FALSE(letters.find(7).value().has_value());
    EXPECT_EQ(letters.resolve(7, this->now), none);
    EXPECT_EQ(letters.failed_again(7, refused(), true, this->now, std::nullopt), none);
    EXPECT_EQ(letters.retry(7, this->now).error(), DeadLetterError::not_found);
    EXPECT_EQ(letters.discard(7, "x", "eve", this->now).error(), DeadLetterError::not_found);
    EXPECT_EQ(letters.compensated(7), none);
    EXPECT_EQ(letters.redrive(7).error(), DeadLetterError::not_found);
    EXPECT_EQ(letters.cancel_redrive(7, this->now).error(), DeadLetterError::not_found);
    EXPECT_TRUE(letters.redrives().value().empty());
    EXPECT_FALSE(letters.continue_redrive(9, this->now).value().has_value());
}

TYPED_TEST_P(DeadLettersContract, ARedriveMovesWhatMatchesNoFasterThanToldOverAllNodes) {
    std::vector<DeadLetterId> shoes;
    for (unsigned i = 1; i <= 5; ++i) shoes.push_back(this->park_dead(accepted_event(i, "shoe")));
    const DeadLetterId hat = this->park_dead(accepted_event(6, "hat"));
    const auto at = this->now + 1min;
    auto& letters = this->world.letters();
    auto& other = this->world.other();
    const auto task = letters.start_redrive({.item = item("shoe")}, 2, at).value();
    EXPECT_EQ(task.status, "running");
    EXPECT_EQ(task.total, 5U);
    EXPECT_EQ(task.moved, 0U);
    EXPECT_EQ(task.per_second, 2U);
    EXPECT_EQ(task.filter.item, item("shoe"));
    EXPECT_EQ(task.started_at, at);
    EXPECT_EQ(letters.continue_redrive(1, at).value()->moved, 1U);
    EXPECT_EQ(other.continue_redrive(10, at + 10ms).value()->moved, 2U);
    EXPECT_EQ(letters.continue_redrive(10, at + 999ms).value()->moved, 2U);
    EXPECT_EQ(other.continue_redrive(10, at + 1s).value()->moved, 4U);
    EXPECT_EQ(
        this->ids(letters.claim_due("orders", at + 1s, at + 31s, 10).value()),
        std::vector(shoes.begin(), shoes.begin() + 4)
    );
    EXPECT_EQ(this->entry(shoes[0]).attempts, 0U);
    // One that dies again at once is not taken a second time.
    this->fail(shoes[0], at + 2s, std::nullopt);
    const auto last = other.continue_redrive(10, at + 5s).value().value();
    EXPECT_EQ(last.moved, 5U);
    EXPECT_EQ(last.status, "done");
    EXPECT_EQ(last.ended_at, at + 5s);
    EXPECT_FALSE(letters.continue_redrive(10, at + 6s).value().has_value());
    EXPECT_EQ(this->entry(hat).status, DeadLetterStatus::dead);
    EXPECT_EQ(this->entry(shoes[0]).status, DeadLetterStatus::dead);
}

TYPED_TEST_P(DeadLettersContract, OneRedriveRunsAtATimeAndCanBeCancelled) {
    const DeadLetterId first = this->park_dead(accepted_event(1));
    const auto at = this->now + 1min;
    auto& letters = this->world.letters();
    auto& other = this->world.other();
    const DeadLetterFilter filter{
        .status = DeadLetterStatus::dead, .cause = Cause::invalid, .consumer = "orders"};
    const auto task = letters.start_redrive(filter, 10, at).value();
    EXPECT_EQ(other.start_redrive({}, 10, at).error(), DeadLetterError::in_the_way);
    EXPECT_EQ(other.cancel_redrive(task.id, at + 1s).value().status, "cancelled");
    EXPECT_EQ(other.cancel_redrive(task.id, at + 1s).error(), DeadLetterError::in_the_way);
    EXPECT_FALSE(letters.continue_redrive(10, at + 2s).value().has_value());
    EXPECT_EQ(this->entry(first).status, DeadLetterStatus::dead);

    const auto second = other.start_redrive({.cause = Cause::rejected}, 10, at + 3s).value();
    EXPECT_EQ(second.total, 0U);
    EXPECT_EQ(letters.continue_redrive(10, at + 3s).value()->status, "done");
    this->world.restart();
    const auto tasks = this->world.letters().redrives().value();
    ASSERT_EQ(tasks.size(), 2U);
    EXPECT_EQ(tasks[0].id, second.id);
    EXPECT_EQ(tasks[1].status, "cancelled");
    EXPECT_EQ(tasks[1].ended_at, at + 1s);
    const auto read = this->world.letters().redrive(task.id).value();
    EXPECT_EQ(read.filter.status, DeadLetterStatus::dead);
    EXPECT_EQ(read.filter.cause, Cause::invalid);
    EXPECT_EQ(read.filter.consumer, "orders");
    EXPECT_FALSE(read.filter.item.has_value());
}

TYPED_TEST_P(DeadLettersContract, ARedriveLeavesAloneWhatCameLater) {
    const DeadLetterId before = this->park_dead(accepted_event(1));
    const auto at = this->now + 1min;
    auto& letters = this->world.letters();
    ASSERT_TRUE(letters.start_redrive({}, 100, at).has_value());
    ASSERT_TRUE(letters.park(accepted_event(2), "orders", refused(), at + 1s, at + 2s).has_value());
    const DeadLetterId after = this->newest().id;
    ASSERT_EQ(this->claim_at(at + 2s), std::vector{after});
    this->fail(after, at + 2s, std::nullopt);
    EXPECT_EQ(letters.continue_redrive(100, at + 3s).value()->status, "done");
    EXPECT_EQ(this->entry(before).status, DeadLetterStatus::retrying);
    EXPECT_EQ(this->entry(after).status, DeadLetterStatus::dead);
}

TYPED_TEST_P(DeadLettersContract, TwoNodesAtOnceTryEachEntryOnce) {
    constexpr unsigned entries = 60;
    for (unsigned i = 1; i <= entries; ++i) this->park(accepted_event(i));
    const auto take_all = [at = this->now + 1s](ports::DeadLetters& node, auto& taken) {
        for (int idle = 0; idle < 3;) {
            auto got = node.claim_due("orders", at, at + 30s, 3);
            if (!got || got->empty()) {
                ++idle;
                continue;
            }
            for (const DeadLetter& letter : *got) taken.push_back(letter.id);
        }
    };
    std::vector<DeadLetterId> mine;
    std::vector<DeadLetterId> theirs;
    std::thread other{[&] { take_all(this->world.other(), theirs); }};
    take_all(this->world.letters(), mine);
    other.join();
    std::set<DeadLetterId> all(mine.begin(), mine.end());
    all.insert(theirs.begin(), theirs.end());
    EXPECT_EQ(all.size(), entries);
    EXPECT_EQ(mine.size() + theirs.size(), entries);
}

// The race that would give a unit back and deliver it too: whoever is first, there is one ending.
TYPED_TEST_P(DeadLettersContract, AHundredRacesOfDiscardAndDeliveryEndOneWayEach) {
    std::atomic<int> gate{0};
    for (unsigned round = 1; round <= 100; ++round) {
        const DeadLetterId id = this->park(accepted_event(round));
        const auto at = this->now + 1s;
        bool given_up = false;
        std::thread person{[&] {
            gate.fetch_add(1);
            while (gate.load() < static_cast<int>(2 * round)) std::this_thread::yield();
            given_up = this->world.other().discard(id, "race", "eve", at).has_value();
        }};
        gate.fetch_add(1);
        while (gate.load() < static_cast<int>(2 * round)) std::this_thread::yield();
        const auto claimed = this->world.letters().claim_due("orders", at, at + 30s, 10).value();
        const bool delivered =
            !claimed.empty() && this->world.letters().resolve(id, at).has_value();
        person.join();
        EXPECT_NE(given_up, delivered);
        const auto expected = given_up ? DeadLetterStatus::discarded : DeadLetterStatus::resolved;
        EXPECT_EQ(this->entry(id).status, expected);
    }
}

REGISTER_TYPED_TEST_SUITE_P(
    DeadLettersContract,
    GivesTheEventBackAsItWasParkedAlsoAfterARestart,
    ParkingTheSameEventAgainChangesNothing,
    ATransientCauseUsesUpNoAttempt,
    KeepsAnErrorOfAnyBytes,
    ClaimsWhatIsDueForItsConsumerOldestFirst,
    GivesAnEntryToOneNodeUntilTheClaimEnds,
    ADeliveryIsAFactWhoeverHasTheClaim,
    WhatIsDeadWaitsForAPerson,
    WhatIsBeingTriedIsNeitherRetriedNorGivenUp,
    AClaimThatEndedHoldsNobodyUp,
    WhatIsSettledStaysSettled,
    AGivenUpEntryIsUndoneUntilItsUnitsAreBack,
    ForgetsWhatWasSettledLongAgoAndNothingElse,
    CountsWhatIsOpenAndTheUnitsItHolds,
    HoldsUnitsOfWhatWasGivenUpUntilTheyAreBack,
    ListsWhatMatchesTheFilter,
    ListsNewestFirstPageByPage,
    SaysWhenThereIsNoSuchEntryOrTask,
    ARedriveMovesWhatMatchesNoFasterThanToldOverAllNodes,
    OneRedriveRunsAtATimeAndCanBeCancelled,
    ARedriveLeavesAloneWhatCameLater,
    TwoNodesAtOnceTryEachEntryOnce,
    AHundredRacesOfDiscardAndDeliveryEndOneWayEach
);

}  // namespace firstcome::test
