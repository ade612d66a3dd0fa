// tests/contract/ledger_contract.hpp - what every ledger and its store must answer
#pragma once

#include "ports/order_ledger.hpp"
#include "ports/order_store.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::test {

/// An implementation under test gives a World: a ledger and a store over the same orders.
///   ledger(), store()    the ports
///   clock()              the ManualClock both use
///   hash()               the KeyedHash keys are made with
///   restart()            closes and opens again; false where nothing outlives the process
template <typename World>
class LedgerContract : public ::testing::Test {
protected:
    std::vector<domain::Outcome> place(std::vector<Wish> wishes) {
        std::vector<domain::OrderRequest> batch;
        for (const Wish& wish : wishes) batch.push_back(request(wish, world.hash()));
        std::vector<domain::Outcome> outcomes(batch.size());
        const auto placed = world.ledger().place(batch, outcomes);
        EXPECT_TRUE(placed.has_value());
        return outcomes;
    }

    std::string place_one(const Wish& wish) { return spoken(place({wish}).front()); }

    domain::Order order_of(const Wish& wish) {
        return std::get<domain::Accepted>(place({wish}).front()).order;
    }

    ports::StockResult change(const domain::StockChange& wanted) {
        auto result = world.ledger().change_stock(wanted);
        EXPECT_TRUE(result.has_value());
        return *result;
    }

    void set_stock(std::string_view what, domain::Units quantity) {
        ASSERT_TRUE(std::holds_alternative<ports::StockChanged>(change(stock_set(what, quantity))));
    }

    domain::StockFigures figures(std::string_view what = "shoe") {
        return world.ledger().stock(item(what)).value();
    }

    std::vector<std::string> listed(const ports::OrderQuery& query) {
        std::vector<std::string> ids;
        auto page = world.store().list(query);
        EXPECT_TRUE(page.has_value());
        for (const domain::Order& order : page->orders) ids.push_back(order.id.text());
        return ids;
    }

    World world;
};

TYPED_TEST_SUITE_P(LedgerContract);

TYPED_TEST_P(LedgerContract, SellsEveryUnitOnceInOrderOfArrival) {
    this->set_stock("shoe", 3);
    const auto outcomes = this->place({{.user = "a"}, {.user = "b"}, {.user = "c"}, {.user = "d"}});
    EXPECT_EQ(spoken(outcomes[0]), "accepted 1");
    EXPECT_EQ(spoken(outcomes[1]), "accepted 2");
    EXPECT_EQ(spoken(outcomes[2]), "accepted 3");
    EXPECT_EQ(spoken(outcomes[3]), "sold_out");
    EXPECT_EQ(this->figures().remaining, 0);
    EXPECT_EQ(this->figures().sold, 3);
    EXPECT_EQ(this->figures().drift(), 0);
}

TYPED_TEST_P(LedgerContract, RefusesMoreThanIsLeftAndSellsTheRestToTheNext) {
    this->set_stock("shoe", 2);
    const auto outcomes = this->place({{.quantity = 3}, {.quantity = 2}});
    EXPECT_EQ(spoken(outcomes[0]), "insufficient_stock");
    EXPECT_EQ(std::get<domain::Rejected>(outcomes[0]).remaining, 2);
    EXPECT_EQ(spoken(outcomes[1]), "accepted 1");
}

TYPED_TEST_P(LedgerContract, KnowsOnlyItemsThatWereSet) {
    EXPECT_EQ(this->place_one({.item = "ghost"}), "item_not_found");
    EXPECT_FALSE(this->world.ledger().stock(item("ghost")).has_value());
}

TYPED_TEST_P(LedgerContract, ARepeatedKeyGetsTheFirstOrderAgainAlsoAcrossARestart) {
    this->set_stock("shoe", 10);
    const Wish wish{.quantity = 2, .key = "k1"};
    const domain::Order first = this->order_of(wish);
    for (const bool restarted : {false, true}) {
        if (restarted && !this->world.restart()) break;
        const auto again = std::get<domain::Accepted>(this->place({wish}).front());
        EXPECT_TRUE(again.replayed);
        EXPECT_EQ(again.order.id, first.id);
        EXPECT_EQ(again.order.sequence, first.sequence);
        EXPECT_EQ(again.order.accepted_at, first.accepted_at);
        EXPECT_EQ(again.order.status, first.status);
        EXPECT_EQ(this->figures().sold, 2);
    }
}

TYPED_TEST_P(LedgerContract, TwoWithOneKeyInOneBatchMakeOneOrder) {
    this->set_stock("shoe", 10);
    const auto both = this->place({{.key = "k"}, {.key = "k"}});
    EXPECT_EQ(spoken(both[0]), "accepted 1");
    EXPECT_EQ(spoken(both[1]), "replayed 1");
    EXPECT_EQ(this->figures().sold, 1);
}

TYPED_TEST_P(LedgerContract, AKeyWithAnotherPayloadIsRefusedAndSaysWhatDiffers) {
    this->set_stock("shoe", 10);
    this->set_stock("hat", 10);
    this->place({{.key = "k"}});
    const auto quantity = std::get<domain::Rejected>(this->place({{.quantity = 2, .key = "k"}})[0]);
    EXPECT_EQ(quantity.why, domain::Rejection::idempotency_key_reused);
    EXPECT_TRUE(quantity.quantity_differs);
    EXPECT_FALSE(quantity.item_differs);
    const auto other = std::get<domain::Rejected>(this->place({{.item = "hat", .key = "k"}})[0]);
    EXPECT_TRUE(other.item_differs);
    EXPECT_EQ(this->figures("hat").sold, 0);
    EXPECT_EQ(this->figures().sold, 1);
}

TYPED_TEST_P(LedgerContract, TheSameKeyOfAnotherUserIsAnotherKey) {
    this->set_stock("shoe", 10);
    EXPECT_EQ(this->place_one({.user = "a", .key = "k"}), "accepted 1");
    EXPECT_EQ(this->place_one({.user = "b", .key = "k"}), "accepted 2");
}

TYPED_TEST_P(LedgerContract, ARefusalIsNotRememberedUnderItsKey) {
    this->set_stock("shoe", 0);
    EXPECT_EQ(this->place_one({.key = "k"}), "sold_out");
    this->set_stock("shoe", 5);
    EXPECT_EQ(this->place_one({.quantity = 2, .key = "k"}), "accepted 1");
}

TYPED_TEST_P(LedgerContract, AKeyIsForgottenAfterItsLifetimeAndNotBefore) {
    this->set_stock("shoe", 10);
    EXPECT_EQ(this->place_one({.key = "k"}), "accepted 1");
    this->world.clock().pass(24h - 1s);
    EXPECT_EQ(this->place_one({.key = "k"}), "replayed 1");
    this->world.clock().pass(3s);
    EXPECT_EQ(this->place_one({.key = "k"}), "accepted 2");
    EXPECT_EQ(this->place_one({.key = "k"}), "replayed 2");
    if (!this->world.restart()) return;
    EXPECT_EQ(this->place_one({.key = "k"}), "replayed 2");
}

TYPED_TEST_P(LedgerContract, ASteppedWallClockExpiresNoKeyAndBreaksNoOrderOfIds) {
    this->set_stock("shoe", 10);
    const domain::Order first = this->order_of({.key = "k1"});
    this->world.clock().step_wall(48h);
    EXPECT_EQ(this->place_one({.key = "k1"}), "replayed 1");
    const domain::Order ahead = this->order_of({.key = "k2"});
    this->world.clock().step_wall(-96h);
    const domain::Order back = this->order_of({.key = "k3"});
    EXPECT_LT(first.id, ahead.id);
    EXPECT_LT(ahead.id, back.id);
    EXPECT_EQ(this->place_one({.key = "k2"}), "replayed 2");
}

TYPED_TEST_P(LedgerContract, SellsOnlyInsideTheWindow) {
    auto change = stock_set("shoe", 10);
    const auto now = this->world.clock().wall();
    change.opens_at = now + 10s;
    change.closes_at = now + 20s;
    this->change(change);
    const auto early = std::get<domain::Rejected>(this->place({{}}).front());
    EXPECT_EQ(early.why, domain::Rejection::sale_not_open);
    EXPECT_EQ(early.at, now + 10s);
    this->world.clock().pass(10s);
    EXPECT_EQ(this->place_one({}), "accepted 1");
    this->world.clock().pass(10s - 1ms);
    EXPECT_EQ(this->place_one({}), "accepted 2");
    this->world.clock().pass(1ms);
    EXPECT_EQ(this->place_one({}), "sale_closed");
    EXPECT_EQ(this->figures().sold, 2);
}

TYPED_TEST_P(LedgerContract, HoldsEachUserToTheLimitAlsoWhenItIsSetLateAndAfterARestart) {
    this->set_stock("shoe", 100);
    EXPECT_EQ(this->place_one({.user = "a", .quantity = 2}), "accepted 1");
    auto limit = stock_set("shoe", 100);
    limit.per_user_limit = 3;
    this->change(limit);
    for (const bool restarted : {false, true}) {
        if (restarted && !this->world.restart()) break;
        const auto no =
            std::get<domain::Rejected>(this->place({{.user = "a", .quantity = 2}}).front());
        EXPECT_EQ(no.why, domain::Rejection::user_limit_exceeded);
        EXPECT_EQ(no.limit, 3);
        EXPECT_EQ(no.used, 2);
    }
    EXPECT_EQ(this->place_one({.user = "a"}), "accepted 2");
    EXPECT_EQ(this->place_one({.user = "a"}), "user_limit_exceeded");
    EXPECT_EQ(this->place_one({.user = "b", .quantity = 3}), "accepted 3");
    limit.per_user_limit = std::optional<domain::Units>{};
    this->change(limit);
    EXPECT_EQ(this->place_one({.user = "a", .quantity = 50}), "accepted 4");
}

TYPED_TEST_P(LedgerContract, StockIsSetAddedAndRemovedButNeverBelowWhatIsCommitted) {
    this->set_stock("shoe", 5);
    this->place({{.quantity = 4}});
    auto add = stock_set("shoe", 10);
    add.operation = domain::StockOperation::add;
    this->change(add);
    EXPECT_EQ(this->figures().remaining, 11);
    EXPECT_EQ(this->figures().restocked, 10);
    auto remove = stock_set("shoe", 12);
    remove.operation = domain::StockOperation::remove;
    const auto no = std::get<domain::StockRejected>(this->change(remove));
    EXPECT_EQ(no.why, domain::StockRejection::below_committed);
    EXPECT_EQ(no.committed, 4);
    EXPECT_EQ(this->figures().remaining, 11);
    this->set_stock("shoe", 4);
    EXPECT_EQ(this->figures().remaining, 0);
    EXPECT_EQ(this->figures().drift(), 0);
    auto set_low = stock_set("shoe", 3);
    EXPECT_EQ(
        std::get<domain::StockRejected>(this->change(set_low)).why,
        domain::StockRejection::below_committed
    );
}

TYPED_TEST_P(LedgerContract, RefusesStockChangesThatMakeNoSense) {
    auto add = stock_set("ghost", 1);
    add.operation = domain::StockOperation::add;
    EXPECT_EQ(
        std::get<domain::StockRejected>(this->change(add)).why,
        domain::StockRejection::item_not_found
    );
    EXPECT_EQ(this->place_one({.item = "ghost"}), "item_not_found");
    this->set_stock("shoe", domain::stock_units_max);
    auto more = stock_set("shoe", 1);
    more.operation = domain::StockOperation::add;
    EXPECT_EQ(
        std::get<domain::StockRejected>(this->change(more)).why,
        domain::StockRejection::total_too_large
    );
    auto window = stock_set("shoe", 1);
    window.opens_at = this->world.clock().wall();
    window.closes_at = this->world.clock().wall();
    EXPECT_EQ(
        std::get<domain::StockRejected>(this->change(window)).why,
        domain::StockRejection::window_invalid
    );
}

TYPED_TEST_P(LedgerContract, ARepeatedStockChangeAnswersAsItDidThen) {
    this->set_stock("shoe", 5);
    auto add = stock_set("shoe", 10);
    add.operation = domain::StockOperation::add;
    add.key = this->world.hash().hash128("admin", "c1");
    const auto first = std::get<ports::StockChanged>(this->change(add));
    this->place({{}});
    for (const bool restarted : {false, true}) {
        if (restarted && !this->world.restart()) break;
        const auto again = std::get<ports::StockChanged>(this->change(add));
        EXPECT_TRUE(again.replayed);
        EXPECT_EQ(again.figures.remaining, first.figures.remaining);
        EXPECT_EQ(again.figures.as_of, first.figures.as_of);
        EXPECT_EQ(this->figures().total(), 15);
    }
    add.quantity = 11;
    EXPECT_EQ(
        std::get<domain::StockRejected>(this->change(add)).why,
        domain::StockRejection::idempotency_key_reused
    );
}

// Buyers' keys end after idempotency.ttl; a sale manager's never do, whatever the clocks say.
TYPED_TEST_P(LedgerContract, NeverForgetsTheKeyOfAStockChange) {
    auto add = stock_set("shoe", 10);
    add.key = this->world.hash().hash128("admin", "k1");
    this->change(add);
    this->world.clock().pass(std::chrono::hours{24 * 400});
    for (const bool restarted : {false, true}) {
        if (restarted && !this->world.restart()) break;
        EXPECT_TRUE(std::get<ports::StockChanged>(this->change(add)).replayed);
        auto other = add;
        other.quantity = 11;
        EXPECT_EQ(
            std::get<domain::StockRejected>(this->change(other)).why,
            domain::StockRejection::idempotency_key_reused
        );
    }
}

TYPED_TEST_P(LedgerContract, AReleaseGivesTheUnitsBackOnceHoweverOftenItIsAsked) {
    auto limit = stock_set("shoe", 3);
    limit.per_user_limit = 3;
    this->change(limit);
    const domain::Order order = this->order_of({.quantity = 3, .key = "k"});
    EXPECT_EQ(this->place_one({.user = "b"}), "sold_out");
    EXPECT_EQ(this->world.ledger().release(order.id, "test"), ports::Release::released);
    EXPECT_EQ(this->world.ledger().release(order.id, "test"), ports::Release::already_released);
    EXPECT_EQ(this->figures().remaining, 3);
    for (const bool restarted : {false, true}) {
        if (restarted && !this->world.restart()) break;
        EXPECT_EQ(this->world.ledger().release(order.id, "test"), ports::Release::already_released);
        EXPECT_EQ(this->figures().remaining, 3);
        EXPECT_EQ(this->figures().drift(), 0);
        EXPECT_EQ(this->world.store().find(order.id).value()->status, domain::OrderStatus::failed);
    }
    EXPECT_EQ(this->place_one({.quantity = 3}), "accepted 2") << "the limit counts live orders";
    domain::OrderId unknown = order.id;
    unknown.low ^= 1U;
    EXPECT_EQ(this->world.ledger().release(unknown, "test"), ports::Release::order_not_found);
}

TYPED_TEST_P(LedgerContract, FindsWhatWasAcceptedAndNothingElse) {
    this->set_stock("shoe", 10);
    const domain::Order order = this->order_of({.user = "ann", .quantity = 2});
    for (const bool restarted : {false, true}) {
        if (restarted && !this->world.restart()) break;
        const auto found = this->world.store().find(order.id).value();
        ASSERT_TRUE(found.has_value());
        EXPECT_EQ(found->user, order.user);
        EXPECT_EQ(found->item, order.item);
        EXPECT_EQ(found->quantity, 2);
        EXPECT_EQ(found->sequence, 1U);
        EXPECT_EQ(found->accepted_at, order.accepted_at);
        EXPECT_EQ(found->status, domain::OrderStatus::confirmed);
    }
    domain::OrderId guessed = order.id;
    guessed.low ^= 1U;
    EXPECT_FALSE(this->world.store().find(guessed).value().has_value());
}

TYPED_TEST_P(LedgerContract, ListsAUsersOrdersNewestFirstPageByPage) {
    this->set_stock("shoe", 1000);
    this->set_stock("hat", 1000);
    std::vector<std::string> mine;
    for (int i = 0; i < 25; ++i) {
        const std::string_view what = i % 5 == 0 ? "hat" : "shoe";
        const auto outcomes = this->place(
            {{.user = "other"}, {.user = "ann", .item = what}, {.user = "ann", .item = what}}
        );
        for (std::size_t at : {1U, 2U}) {
            mine.push_back(std::get<domain::Accepted>(outcomes[at]).order.id.text());
        }
    }
    std::ranges::reverse(mine);
    for (const bool restarted : {false, true}) {
        if (restarted && !this->world.restart()) break;
        ports::OrderQuery query{
            .user = user("ann"), .item = {}, .status = {}, .limit = 7, .after = {}};
        std::vector<std::string> seen;
        while (true) {
            const auto page = this->world.store().list(query).value();
            EXPECT_LE(page.orders.size(), 7U);
            for (const domain::Order& order : page.orders) seen.push_back(order.id.text());
            if (!page.next) break;
            query.after = page.next;
        }
        EXPECT_EQ(seen, mine);
        EXPECT_EQ(
            this->listed({.user = user("ann"),
                          .item = item("hat"),
                          .status = {},
                          .limit = 100,
                          .after = {}}
            ).size(),
            10U
        );
        EXPECT_TRUE(
            this->listed({.user = user("nobody"), .item = {}, .status = {}, .limit = 5, .after = {}}
            ).empty()
        );
        EXPECT_TRUE(this->listed({.user = user("ann"),
                                  .item = {},
                                  .status = domain::OrderStatus::failed,
                                  .limit = 5,
                                  .after = {}}
        ).empty());
    }
}

TYPED_TEST_P(LedgerContract, ACursorOfSomebodyElseLeadsNowhere) {
    this->set_stock("shoe", 10);
    const domain::Order of_bob = this->order_of({.user = "bob"});
    this->place({{.user = "ann"}, {.user = "ann"}});
    domain::OrderId made_up = of_bob.id;
    made_up.low ^= 1U;
    for (const domain::OrderId& after : {of_bob.id, made_up}) {
        const auto page =
            this->world.store()
                .list({.user = user("ann"), .item = {}, .status = {}, .limit = 5, .after = after})
                .value();
        EXPECT_TRUE(page.orders.empty());
        EXPECT_FALSE(page.next.has_value());
    }
}

TYPED_TEST_P(LedgerContract, CountsWhatAUserHoldsAlsoBeyondFourBillionUnits) {
    this->set_stock("shoe", domain::stock_units_max);
    for (int batch = 0; batch < 5; ++batch) {
        this->place(std::vector<Wish>(1000, Wish{.quantity = 1'000'000}));
    }
    auto limit = stock_set("shoe", domain::stock_units_max);
    limit.per_user_limit = 5'000'000'001;
    this->change(limit);
    EXPECT_EQ(this->place_one({}), "accepted 5001");
    EXPECT_EQ(this->place_one({}), "user_limit_exceeded");
}

TYPED_TEST_P(LedgerContract, ShowsAllItemsSortedEachAddingUp) {
    this->set_stock("b", 2);
    this->set_stock("a", 1);
    this->place({{.item = "b"}});
    const auto all = this->world.ledger().all_stock();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].item, item("a"));
    EXPECT_EQ(all[1].orders, 1U);
    for (const domain::StockFigures& each : all) EXPECT_EQ(each.drift(), 0);
}

REGISTER_TYPED_TEST_SUITE_P(
    LedgerContract,
    SellsEveryUnitOnceInOrderOfArrival,
    RefusesMoreThanIsLeftAndSellsTheRestToTheNext,
    KnowsOnlyItemsThatWereSet,
    ARepeatedKeyGetsTheFirstOrderAgainAlsoAcrossARestart,
    TwoWithOneKeyInOneBatchMakeOneOrder,
    AKeyWithAnotherPayloadIsRefusedAndSaysWhatDiffers,
    TheSameKeyOfAnotherUserIsAnotherKey,
    ARefusalIsNotRememberedUnderItsKey,
    AKeyIsForgottenAfterItsLifetimeAndNotBefore,
    ASteppedWallClockExpiresNoKeyAndBreaksNoOrderOfIds,
    SellsOnlyInsideTheWindow,
    HoldsEachUserToTheLimitAlsoWhenItIsSetLateAndAfterARestart,
    StockIsSetAddedAndRemovedButNeverBelowWhatIsCommitted,
    RefusesStockChangesThatMakeNoSense,
    ARepeatedStockChangeAnswersAsItDidThen,
    NeverForgetsTheKeyOfAStockChange,
    AReleaseGivesTheUnitsBackOnceHoweverOftenItIsAsked,
    FindsWhatWasAcceptedAndNothingElse,
    ListsAUsersOrdersNewestFirstPageByPage,
    ACursorOfSomebodyElseLeadsNowhere,
    CountsWhatAUserHoldsAlsoBeyondFourBillionUnits,
    ShowsAllItemsSortedEachAddingUp
);

}  // namespace firstcome::test
