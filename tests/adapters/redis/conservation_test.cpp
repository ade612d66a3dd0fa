// tests/adapters/redis/conservation_test.cpp - what ended halfway is seen, and made good
#include "adapters/redis/sale_changes.hpp"
#include "tests/adapters/redis/world.hpp"

namespace firstcome::redis {
namespace {

/// Whose lock somebody else holds.
class BusyLedger final : public ports::OrderLedger {
public:
    std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> /*batch*/, std::span<domain::Outcome> /*outcomes*/
    ) override {
        return std::unexpected(ports::LedgerError::unavailable);
    }

    std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& /*change*/
    ) override {
        ++asked;
        return std::unexpected(ports::LedgerError::unavailable);
    }

    std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId /*order*/, std::string_view /*reason*/
    ) override {
        return std::unexpected(ports::LedgerError::unavailable);
    }

    std::optional<domain::StockFigures> stock(const domain::ItemId& /*item*/) const override {
        return std::nullopt;
    }

    std::vector<domain::StockFigures> all_stock() const override { return {}; }

    int asked = 0;
};

class RedisConservation : public ::testing::Test {
protected:
    RedisConservation() {
        EXPECT_TRUE(node->rebuild.keep());
        EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 100)), "ok");
        EXPECT_EQ(shop.place(node->ledger, {.quantity = 5}), "accepted 1");
    }

    Conserved check() {
        const auto checked = node->conservation.check();
        EXPECT_TRUE(checked.has_value());
        return checked.value_or(Conserved{});
    }

    std::string left() { return shop.cli({"HGET", "fc:{s0}:item:shoe", "remaining"}); }

    void expect_repaired_at_the_second_look() {
        auto conserved = check();
        ASSERT_EQ(conserved.drifts.size(), 1U);
        EXPECT_FALSE(conserved.drifts.front().repaired);
        conserved = check();
        ASSERT_EQ(conserved.drifts.size(), 1U);
        EXPECT_TRUE(conserved.drifts.front().repaired) << conserved.drifts.front().what;
        EXPECT_TRUE(check().drifts.empty());
    }

    Shop shop;
    std::unique_ptr<Node> node = shop.node();
};

TEST_F(RedisConservation, SeesNoDriftWhereThereIsNone) {
    EXPECT_TRUE(check().compared);
    EXPECT_TRUE(check().drifts.empty()) << "not stored yet";
    const auto events = node->outbox.pull(10, {}).value();
    EXPECT_TRUE(shop.truth.deliver(events).delivered == 1U);
    EXPECT_TRUE(check().drifts.empty()) << "stored and not acknowledged";
    EXPECT_TRUE(node->outbox.acknowledge(events).has_value());
    EXPECT_TRUE(check().drifts.empty()) << "stored";
}

TEST_F(RedisConservation, WhatWasGivenBackIsForgottenBeforeItFillsTheMemory) {
    EXPECT_TRUE(node->drain());
    Conservation bounded{
        {.shard = 0, .released_max = 3},
        node->leader,
        node->record,
        node->leader_ledger,
        node->rebuild,
        shop.clock};
    for (int i = 0; i < 3; ++i) shop.cli({"SADD", "fc:{s0}:released", std::to_string(i)});
    EXPECT_TRUE(bounded.check().value().compared);
    EXPECT_EQ(shop.cli({"SCARD", "fc:{s0}:released"}), "3") << "within the bound they stay";
    shop.cli({"SADD", "fc:{s0}:released", "one more"});
    EXPECT_TRUE(bounded.check().has_value());
    EXPECT_EQ(shop.cli({"SCARD", "fc:{s0}:released"}), "0");
    EXPECT_TRUE(bounded.check().value().drifts.empty());
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2");
}

TEST_F(RedisConservation, AChangeTheRecordHasAndTheSaleNotIsCarriedOver) {
    // Committed, and then the node died.
    const auto live = [&] { return std::optional{*node->ledger.stock(test::item("shoe"))}; };
    const auto changed = node->record.change_stock(
        0,
        test::stock_set("shoe", 150),
        [&]() -> ports::SystemOfRecord::Result<std::optional<domain::StockFigures>> {
            return live();
        },
        [](const ports::RecordedItem&) { return ports::Epoch{}; }
    );
    ASSERT_TRUE(changed.has_value());
    expect_repaired_at_the_second_look();
    EXPECT_EQ(left(), "145");
}

TEST_F(RedisConservation, AChangeTheSaleHasAndTheRecordNotIsTakenBack) {
    // Lowered in Redis, and then the node died before the record could commit.
    auto wanted = node->record.item(test::item("shoe")).value().value();
    wanted.figures.initial = 60;
    wanted.movement += 1;
    ShardCalls calls{{}, 0, node->leader, node->record, shop.clock};
    ASSERT_TRUE(eval_stock(calls, StockStep::lower, wanted).has_value());
    EXPECT_EQ(left(), "55");
    expect_repaired_at_the_second_look();
    EXPECT_EQ(left(), "95");
}

TEST_F(RedisConservation, AnItemTheSaleNeverHeardOfIsPutThere) {
    const auto changed = node->record.change_stock(
        0,
        test::stock_set("hat", 7),
        []() -> ports::SystemOfRecord::Result<std::optional<domain::StockFigures>> {
            return std::nullopt;
        },
        [](const ports::RecordedItem&) { return ports::Epoch{}; }
    );
    ASSERT_TRUE(changed.has_value());
    EXPECT_EQ(shop.place(node->ledger, {.item = "hat"}), "item_not_found");
    expect_repaired_at_the_second_look();
    EXPECT_EQ(shop.place(node->ledger, {.item = "hat"}), "accepted 1");
}

TEST_F(RedisConservation, UnitsThatNobodyKnowsOfGoWithARebuild) {
    shop.cli({"HSET", "fc:{s0}:item:shoe", "remaining", "99", "sold", "1"});
    const auto conserved = check();
    ASSERT_EQ(conserved.drifts.size(), 1U);
    EXPECT_EQ(conserved.drifts.front().units, 4) << "four could be sold twice";
    EXPECT_FALSE(check().drifts.front().repaired);
    EXPECT_TRUE(check().drifts.front().repaired);
    EXPECT_EQ(left(), "95");
    EXPECT_TRUE(check().drifts.empty());
    const std::vector<std::string> noted{
        "shoe: rebuilt: units 4, expected taken 5 orders 1, found taken 1 orders 1"};
    EXPECT_EQ(shop.truth.repairs(), noted);
}

TEST_F(RedisConservation, AChangeLoweredInASaleThatIsRebuiltMeanwhileIsNotMade) {
    const auto other = shop.node({.number = 2});
    shop.truth.when_lowered([&] { EXPECT_TRUE(other->rebuild.run().has_value()); });
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 60)), "rebuilding");
    EXPECT_EQ(left(), "95") << "as the rebuild has read it";
    EXPECT_EQ(node->record.item(test::item("shoe")).value()->figures.total(), 100);
    shop.clock.pass(1s);  // a no is not asked again at once
    EXPECT_TRUE(check().drifts.empty());
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("shoe", 60)), "ok");
    EXPECT_EQ(left(), "55");
}

TEST_F(RedisConservation, TotalsThatCannotBePutAreRebuilt) {
    const auto lowered = node->record.change_stock(
        0,
        test::stock_set("shoe", 60),
        [] { return std::optional<domain::StockFigures>{}; },
        [&](const ports::RecordedItem&) { return node->record.epoch(0).value(); }
    );
    ASSERT_TRUE(lowered.has_value());
    EXPECT_EQ(shop.place(node->ledger, {.quantity = 90}), "accepted 2") << "Redis knows of 100";
    EXPECT_FALSE(check().drifts.front().repaired);
    EXPECT_TRUE(check().drifts.front().repaired);
    EXPECT_EQ(left(), "0");
    EXPECT_EQ(shop.place(node->ledger, {}), "sold_out");
    ASSERT_EQ(check().drifts.size(), 1U);
    EXPECT_TRUE(check().drifts.front().oversold) << "and told, not rebuilt again";
    EXPECT_EQ(node->record.epoch(0)->number, 2U);
}

TEST_F(RedisConservation, TotalsThatCannotBePutNowAreTriedAgainAndTheSaleGoesOn) {
    const auto raised = node->record.change_stock(
        0,
        test::stock_set("shoe", 150),
        [] { return std::optional<domain::StockFigures>{}; },
        [](const ports::RecordedItem&) { return ports::Epoch{}; }
    );
    ASSERT_TRUE(raised.has_value());
    BusyLedger busy;
    Conservation conservation{
        {.shard = 0}, node->leader, node->record, busy, node->rebuild, shop.clock};
    for (int look = 0; look < 3; ++look) {
        EXPECT_FALSE(conservation.check()->drifts.front().repaired);
        EXPECT_EQ(shop.place(node->ledger, {}), "accepted " + std::to_string(look + 2));
    }
    EXPECT_EQ(busy.asked, 2);
    EXPECT_EQ(node->record.epoch(0)->number, 1U) << "nobody was kept from buying";
    expect_repaired_at_the_second_look();
    EXPECT_EQ(left(), "142");
}

TEST_F(RedisConservation, ALookIntoAReleaseConfirmsNothing) {
    EXPECT_TRUE(node->drain());
    shop.cli({"HINCRBY", "fc:{s0}:item:shoe", "remaining", "5"});
    shop.cli({"HINCRBY", "fc:{s0}:item:shoe", "sold", "-5"});
    EXPECT_FALSE(check().drifts.front().confirmed);
    shop.cli({"HINCRBY", "fc:{s0}:item:shoe", "remaining", "-5"});
    shop.cli({"HINCRBY", "fc:{s0}:item:shoe", "sold", "5"});
    EXPECT_TRUE(check().drifts.empty()) << "the record has it too now";
}

TEST_F(RedisConservation, UnitsThatAreOffAreConfirmedWhileTheSaleGoesOn) {
    shop.cli({"HINCRBY", "fc:{s0}:item:shoe", "remaining", "4"});
    shop.cli({"HINCRBY", "fc:{s0}:item:shoe", "sold", "-4"});
    EXPECT_FALSE(check().drifts.front().confirmed);
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2");
    EXPECT_TRUE(check().drifts.front().confirmed);
}

TEST_F(RedisConservation, UnitsThatAreOffAreRepairedWhileTheSaleGoesOn) {
    shop.cli({"HINCRBY", "fc:{s0}:item:shoe", "remaining", "4"});
    shop.cli({"HINCRBY", "fc:{s0}:item:shoe", "sold", "-4"});
    for (int look = 1; look <= 3; ++look) {
        const auto conserved = check();
        ASSERT_EQ(conserved.drifts.size(), 1U);
        EXPECT_EQ(conserved.drifts.front().units, 4);
        EXPECT_EQ(conserved.drifts.front().repaired, look == 3) << look;
        EXPECT_EQ(shop.place(node->ledger, {}), "accepted " + std::to_string(look + 1));
    }
    EXPECT_EQ(left(), "92");
    EXPECT_TRUE(check().drifts.empty());
}

TEST_F(RedisConservation, TwoLooksIntoReleasesOfAsManyUnitsRebuildNothing) {
    EXPECT_TRUE(node->drain());
    for (int release = 0; release < 2; ++release) {
        // Each look is into another one, whose units are back in Redis and not in the record yet.
        shop.cli({"HSET", "fc:{s0}:item:shoe", "remaining", "100", "sold", "0"});
        ASSERT_EQ(check().drifts.size(), 1U);
        EXPECT_FALSE(check().drifts.front().repaired);
        shop.cli({"HSET", "fc:{s0}:item:shoe", "remaining", "95", "sold", "5"});
        EXPECT_TRUE(check().drifts.empty());
    }
    EXPECT_EQ(node->record.epoch(0)->number, 1U);
}

TEST_F(RedisConservation, WhatIsDamagedOrGoneIsRebuilt) {
    EXPECT_TRUE(node->drain());
    shop.cli({"HDEL", "fc:{s0}:item:shoe", "remaining"});
    expect_repaired_at_the_second_look();
    shop.cli({"DEL", "fc:{s0}:item:shoe"});
    expect_repaired_at_the_second_look();
    EXPECT_EQ(left(), "95");
    shop.cli({"HSET", "fc:{s0}:item:shoe", "orders", "0"});
    expect_repaired_at_the_second_look();
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2") << "no place in line is given twice";
}

TEST_F(RedisConservation, WhatIsOversoldIsToldAndKeepsNobodyFromSelling) {
    EXPECT_EQ(shop.place(node->ledger, {.quantity = 95}), "accepted 2");
    EXPECT_TRUE(node->drain());
    domain::Event more;
    more.id = more.order.id = {.high = 1, .low = 1};
    more.order.user = test::user("bob");
    more.order.item = test::item("shoe");
    more.order.quantity = 5;
    more.order.sequence = 2;
    EXPECT_FALSE(shop.truth.deliver({&more, 1}).failure.has_value());
    for (int look = 0; look < 3; ++look) {
        const auto drifts = check().drifts;
        ASSERT_EQ(drifts.size(), 1U);
        EXPECT_TRUE(drifts.front().oversold);
        EXPECT_EQ(drifts.front().units, 5);
    }
    EXPECT_EQ(node->record.epoch(0)->number, 1U) << "rebuilding again and again would not help";
}

TEST_F(RedisConservation, TooMuchThatWaitsIsNotCompared) {
    Conservation narrow{
        {.shard = 0, .entries_max = 1},
        node->leader,
        node->record,
        node->leader_ledger,
        node->rebuild,
        shop.clock};
    EXPECT_TRUE(narrow.check()->compared);
    EXPECT_EQ(shop.place(node->ledger, {}), "accepted 2");
    EXPECT_FALSE(narrow.check()->compared);
}

TEST_F(RedisConservation, FinishesReleasesOfOthers) {
    EXPECT_TRUE(node->drain());
    ports::OrderQuery query;
    query.user = test::user("ann");
    const auto orders = shop.truth.list(query).value().orders;
    EXPECT_TRUE(node->record.fail(orders.front().id, "test").has_value());
    EXPECT_EQ(check().given_back, 1U);
    EXPECT_EQ(left(), "100");
    EXPECT_EQ(check().given_back, 0U);
}

TEST_F(RedisConservation, AReleaseThatADamagedItemRefusesHoldsUpNeitherTheOthersNorTheRepair) {
    EXPECT_EQ(Shop::change(node->ledger, test::stock_set("hat", 10)), "ok");
    EXPECT_EQ(shop.place(node->ledger, {.item = "hat", .quantity = 3}), "accepted 1");
    EXPECT_TRUE(node->drain());
    ports::OrderQuery query;
    query.user = test::user("ann");
    const auto orders = shop.truth.list(query).value().orders;
    ASSERT_EQ(orders.size(), 2U);
    for (const domain::Order& order : orders) {
        EXPECT_TRUE(node->record.fail(order.id, "test").has_value());
    }
    EXPECT_EQ(node->record.not_given_back(0, 1)->front().item, test::item("shoe"));
    shop.cli({"HDEL", "fc:{s0}:item:shoe", "remaining"});
    auto conserved = check();
    EXPECT_EQ(conserved.refused, 1U);
    EXPECT_EQ(conserved.given_back, 1U) << "the hats, behind the shoe";
    EXPECT_EQ(shop.cli({"HGET", "fc:{s0}:item:hat", "remaining"}), "10");
    ASSERT_EQ(conserved.drifts.size(), 1U);
    EXPECT_TRUE(check().drifts.front().repaired);
    conserved = check();
    EXPECT_EQ(conserved.given_back, 1U);
    EXPECT_EQ(conserved.refused, 0U);
    EXPECT_EQ(left(), "100");
    EXPECT_TRUE(check().drifts.empty());
}

TEST_F(RedisConservation, SaysWhenItCannotLook) {
    shop.truth.fail_with(ports::RecordError::unavailable);
    EXPECT_EQ(node->conservation.check().error(), ports::LedgerError::unavailable);
    shop.truth.fail_with(std::nullopt);
    shop.clock.pass(1s);  // a no is not asked again at once
    shop.cli({"FLUSHALL"});
    EXPECT_EQ(node->conservation.check().error(), ports::LedgerError::rebuilding);
}

}  // namespace
}  // namespace firstcome::redis
