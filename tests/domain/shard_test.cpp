// tests/domain/shard_test.cpp - what is reverted was never asked; what is committed stays
#include "domain/shard.hpp"

#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace firstcome::domain {
namespace {

using namespace std::chrono_literals;
using test::item;
using test::stock_set;
using test::Wish;

class ShardTest : public ::testing::Test {
protected:
    void set(Shard& of, std::string_view what, Units units, std::optional<Units> limit = {}) {
        StockChange change = stock_set(what, units);
        if (limit) change.per_user_limit = limit;
        Sale& sale = of.open_sale(item(what));
        sale.adopt(std::get<StockFigures>(sale.changed(change, clock.wall())));
    }

    std::string ask(Shard& of, const Wish& wish) {
        const auto said = of.decide(test::request(wish, hash), clock.wall(), clock.monotonic());
        if (const auto* yes = std::get_if<Granted>(&said)) {
            EXPECT_EQ(yes->order.accepted_at, clock.wall());
            EXPECT_EQ(yes->order.quantity, wish.quantity);
            EXPECT_EQ(yes->user_hash, hash.hash64(wish.user));
            return "granted " + std::to_string(yes->order.sequence);
        }
        if (std::holds_alternative<Remembered>(said)) return "remembered";
        return std::string(name(std::get<Rejected>(said).why));
    }

    test::ManualClock clock;
    test::SeededEntropy entropy;
    base::KeyedHash hash{base::KeyedHash::new_secret(entropy)};
    OrderIdMaker ids{0, 0, entropy};
    Shard shard{60s, hash, ids};
};

TEST_F(ShardTest, AsksForTheKeyBeforeTheRules) {
    set(shard, "shoe", 1);
    EXPECT_EQ(ask(shard, {.item = "hat"}), "item_not_found");
    EXPECT_EQ(ask(shard, {.key = "k"}), "granted 1");
    EXPECT_EQ(ask(shard, {.key = "k"}), "remembered") << "though it is sold out now";
    EXPECT_EQ(ask(shard, {.item = "hat", .key = "k"}), "remembered") << "though there is no hat";
    EXPECT_EQ(ask(shard, {.key = "other"}), "sold_out");
    EXPECT_EQ(ask(shard, {.key = "other"}), "sold_out") << "a refusal is not remembered";
    EXPECT_EQ(shard.remembered_keys(), 1U);
}

TEST_F(ShardTest, RevertLeavesNothingBehind) {
    const std::vector<Wish> wishes{
        {.user = "ann", .quantity = 2, .key = "k1"},
        {.user = "bob", .quantity = 1},
        {.user = "ann", .quantity = 2, .key = "k1"},
        {.user = "ann", .item = "hat", .quantity = 2, .key = "k2"},
        {.user = "ann", .quantity = 2, .key = "k3"},
        {.user = "cid", .quantity = 3, .key = "k1"},
        {.user = "cid", .quantity = 3, .key = "k1"},
        {.user = "dan", .item = "hat", .quantity = 5},
    };
    const auto prepare = [&](Shard& one) {
        set(one, "shoe", 7, 3);
        set(one, "hat", 4);
        ask(one, {.user = "eve", .key = "before"});
        one.commit();
    };
    const auto answers = [&](Shard& one) {
        std::vector<std::string> said;
        for (const Wish& wish : wishes) said.push_back(ask(one, wish));
        return said;
    };
    OrderIdMaker other_ids{0, 0, entropy};
    Shard never_asked{60s, hash, other_ids};
    prepare(never_asked);
    prepare(shard);
    const StockFigures shoes = shard.sale(item("shoe"))->figures();
    answers(shard);
    EXPECT_EQ(shard.touched().size(), 2U);
    shard.revert();

    EXPECT_TRUE(shard.touched().empty());
    EXPECT_EQ(shard.remembered_keys(), 1U);
    EXPECT_EQ(shard.sale(item("shoe"))->figures().remaining, shoes.remaining);
    EXPECT_EQ(shard.sale(item("shoe"))->figures().orders, shoes.orders);
    EXPECT_EQ(shard.sale(item("shoe"))->bought(hash.hash64("ann")), 0);
    EXPECT_EQ(ask(shard, {.user = "eve", .key = "before"}), "remembered") << "committed: it stays";
    EXPECT_EQ(answers(shard), answers(never_asked));
}

TEST_F(ShardTest, CommitMakesARevertOfItImpossible) {
    set(shard, "shoe", 2);
    ask(shard, {.key = "k"});
    shard.commit();
    ask(shard, {.user = "bob"});
    shard.revert();
    EXPECT_EQ(shard.sale(item("shoe"))->figures().sold, 1);
    EXPECT_EQ(ask(shard, {.key = "k"}), "remembered");
    shard.revert();
    EXPECT_EQ(shard.sale(item("shoe"))->figures().sold, 1) << "nothing was granted since";
}

TEST_F(ShardTest, ARevertedKeyThatHadExpiredBeforeIsStillForgotten) {
    set(shard, "shoe", 5);
    ask(shard, {.key = "k"});
    shard.commit();
    clock.pass(62s);
    EXPECT_EQ(ask(shard, {.key = "k"}), "granted 2");
    shard.revert();
    EXPECT_EQ(ask(shard, {.key = "k"}), "granted 2");
}

TEST_F(ShardTest, TouchedNamesEachSaleOnce) {
    set(shard, "a", 9);
    set(shard, "b", 9);
    set(shard, "c", 9);
    for (const std::string_view what : {"b", "a", "b", "b", "a"}) ask(shard, {.item = what});
    const auto touched = shard.touched();
    ASSERT_EQ(touched.size(), 2U);
    EXPECT_EQ(touched[0]->figures().item, item("b"));
    EXPECT_EQ(touched[1]->figures().item, item("a"));
}

TEST_F(ShardTest, AtStartAKeyIsRememberedForTheRestOfItsLifetime) {
    const auto key = hash.hash128("ann", "k");

    struct Row {
        std::chrono::milliseconds age;
        std::chrono::milliseconds later;
        bool remembered;
        std::string_view why;
    };

    const Row rows[] = {
        {0s, 59s, true, "a new one lives on"},
        {50s, 9s, true, "an old one to its end"},
        {50s, 12s, false, "and no longer"},
        {60s, 0s, false, "at its end"},
        {24h, 0s, false, "long after"},
        {-1h, 59s, true, "from the future (the clock stepped back): simply new"},
        {-1h, 62s, false, "but not for longer than a lifetime"},
    };
    for (const Row& row : rows) {
        OrderIdMaker fresh_ids{0, 0, entropy};
        Shard fresh{60s, hash, fresh_ids};
        set(fresh, "shoe", 5);
        fresh.remember(key, 7, row.age, clock.monotonic());
        clock.pass(row.later);
        EXPECT_EQ(ask(fresh, {.key = "k"}), row.remembered ? "remembered" : "granted 1") << row.why;
    }
}

TEST_F(ShardTest, AtStartTheLaterOrderOfOneKeyCounts) {
    const auto key = hash.hash128("ann", "k");
    set(shard, "shoe", 5);
    shard.remember(key, 7, 50s, clock.monotonic());
    shard.remember(key, 8, 1s, clock.monotonic());
    const auto said =
        shard.decide(test::request({.key = "k"}, hash), clock.wall(), clock.monotonic());
    EXPECT_EQ(std::get<Remembered>(said).order_high, 8U);
}

}  // namespace
}  // namespace firstcome::domain
