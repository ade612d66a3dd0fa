// tests/adapters/sqlite/recovery_test.cpp - a start finds all that was accepted, or says what is
// damaged
#include "adapters/sqlite/audit.hpp"
#include "adapters/sqlite/order_rows.hpp"
#include "tests/adapters/sqlite/world.hpp"
#include "tests/support/orders.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>

namespace firstcome::test {
namespace {

using testing::Contains;
using testing::HasSubstr;

class Recovery : public ::testing::Test {
protected:
    std::vector<domain::Outcome> place(SqliteWorld& in, const std::vector<Wish>& wishes) {
        std::vector<domain::OrderRequest> batch;
        for (const Wish& wish : wishes) batch.push_back(request(wish, in.hash()));
        std::vector<domain::Outcome> outcomes(batch.size());
        EXPECT_TRUE(in.ledger().place(batch, outcomes).has_value());
        return outcomes;
    }

    void set(SqliteWorld& in, std::string_view what, domain::Units units) {
        EXPECT_TRUE(in.ledger().change_stock(stock_set(what, units)).has_value());
    }

    // shoe 1..5: ann bob ann cid bob; hat 1: ann, released; each a batch of its own.
    void sell(SqliteWorld& in) {
        set(in, "shoe", 10);
        set(in, "hat", 10);
        for (const std::string_view who : {"ann", "bob", "ann"}) place(in, {{.user = who}});
        const auto hat = place(in, {{.user = "ann", .item = "hat", .key = "k"}});
        for (const std::string_view who : {"cid", "bob"}) place(in, {{.user = who}});
        const auto id = std::get<domain::Accepted>(hat.front()).order.id;
        EXPECT_EQ(in.ledger().release(id, "test"), ports::Release::released);
    }

    static std::string opening(SqliteWorld& in) {
        const auto opened = in.try_open();
        return opened ? "opened" : opened.error();
    }

    // The statement is done to a closed file with the orders of `sell`.
    std::string opening_after(const std::string& damage) {
        SqliteWorld spoilt;
        sell(spoilt);
        spoilt.close();
        spoilt.sql(damage);
        return opening(spoilt);
    }
};

TEST_F(Recovery, NamesEachKindOfDamage) {
    const std::string shoe_2 = "WHERE item = 1 AND sequence = 2";
    const std::string newest = "WHERE id = (SELECT max(id) FROM orders)";
    const std::pair<std::string, std::string_view> rows[] = {
        {"UPDATE orders SET random = random + 1 " + shoe_2, "is changed"},
        {"UPDATE orders SET user = 'eve' " + shoe_2, "is changed"},
        {"UPDATE orders SET user = '' " + shoe_2, "is changed"},
        {"UPDATE orders SET item = 2 " + shoe_2, "is changed"},
        {"UPDATE orders SET quantity = quantity + 1 " + shoe_2, "is changed"},
        {"UPDATE orders SET quantity = quantity + 4294967296 " + shoe_2, "is changed"},
        {"UPDATE orders SET sequence = 7 " + shoe_2, "is changed"},
        {"UPDATE orders SET accepted_at = accepted_at + 1 " + shoe_2, "is changed"},
        {"UPDATE orders SET previous = previous + 1 " + shoe_2, "is changed"},
        {"UPDATE orders SET key = x'00112233445566778899aabbccddeeff' " + shoe_2, "is changed"},
        {"UPDATE orders SET key = NULL WHERE item = 2", "is changed"},
        {"UPDATE orders SET key = x'00' WHERE item = 2", "is changed"},
        {"UPDATE orders SET checksum = checksum + 1 " + shoe_2, "is changed"},
        {"UPDATE orders SET quantity = quantity + 1 " + newest, "is changed"},
        {"DELETE FROM orders WHERE item = 1 AND sequence = 1", "has sequence 2 of item shoe"},
        {"DELETE FROM orders WHERE item = 1 AND sequence = 3", "of the same user before"},
        {"DELETE FROM orders " + shoe_2, "has sequence 3 of item shoe, which does not follow"},
        {"DELETE FROM orders WHERE item = 1 AND sequence = 4", "has sequence 5 of item shoe"},
        {"DELETE FROM orders WHERE item = 2", "a release of no known order"},
        {"INSERT INTO releases VALUES (12345, 1, 'x')", "a release of no known order"},
        {"DELETE FROM items WHERE item_no = 2", "has no item"},
        {"DELETE FROM items WHERE item_no = 1", "item number 2 is not whole"},
        {"UPDATE items SET item_id = '' WHERE item_no = 2", "item number 2 is not whole"},
        {"UPDATE items SET initial = -1 WHERE item_no = 1", "item number 1 is not whole"},
        {"UPDATE items SET initial = 4 WHERE item_no = 1", "or is more than the stock"},
        {"DROP TABLE releases", "no such table"},
    };
    for (const auto& [damage, says] : rows) {
        const std::string said = opening_after(damage);
        EXPECT_THAT(said, HasSubstr(std::string(says))) << damage;
        EXPECT_THAT(said, HasSubstr("lane-00.db")) << damage;
    }
}

TEST_F(Recovery, FindsAWholeRowInTheWrongPlaceOfTheLine) {
    SqliteWorld spoilt;
    sell(spoilt);
    spoilt.close();
    {
        auto database =
            sqlite::Database::open(spoilt.lane_file().string(), sqlite::Database::Mode::write);
        auto select = database->prepare(fmt::format(
            "SELECT {} FROM orders o WHERE o.item = 1 AND o.sequence = 5", sqlite::order_columns
        ));
        ASSERT_EQ(select->step(), true);
        auto row = sqlite::read_row(*select, spoilt.hash());
        ASSERT_TRUE(row.has_value());
        select->reset();
        ASSERT_TRUE(database->execute("DELETE FROM orders WHERE item = 1 AND sequence = 5"));
        row->sequence = 4;
        auto insert = database->prepare(sqlite::insert_order);
        std::array<std::byte, 16> key_bytes;
        sqlite::bind_row(*insert, *row, spoilt.hash(), key_bytes);
        ASSERT_TRUE(insert->run().has_value());
    }
    EXPECT_THAT(opening(spoilt), HasSubstr("has sequence 4 of item shoe, which does not follow"));
}

TEST_F(Recovery, MissesTheNewestOrderOnceAStockChangeCountedIt) {
    SqliteWorld spoilt;
    sell(spoilt);
    set(spoilt, "shoe", 20);
    spoilt.restart();
    spoilt.close();
    spoilt.sql("DELETE FROM orders WHERE item = 1 AND sequence = 5");
    EXPECT_THAT(
        opening(spoilt), HasSubstr("item shoe has 4 orders, but a change of its stock counted 5")
    );
    const auto report = sqlite::audit(spoilt.path(), [](std::uint64_t) {});
    ASSERT_TRUE(report.has_value()) << report.error();
    EXPECT_THAT(report->findings, Contains(HasSubstr("its last stock movement counted 5 orders")));
}

// What the chains cannot see: nothing points to the newest order of an item that is also its
// user's newest. The file's end is SQLite's to keep; `audit` compares with the answers received.
TEST_F(Recovery, CannotMissTheNewestOrderOfAll) {
    SqliteWorld spoilt;
    sell(spoilt);
    spoilt.close();
    spoilt.sql("DELETE FROM orders WHERE item = 1 AND sequence = 5");
    EXPECT_EQ(opening(spoilt), "opened");
    EXPECT_EQ(spoilt.ledger().stock(item("shoe"))->orders, 4U);
    EXPECT_EQ(spoilt.sqlite_ledger().orders_recovered(), 5U);
}

TEST_F(Recovery, FindsAChangedByteInTheFileItself) {
    SqliteWorld spoilt;
    set(spoilt, "shoe", 10'000);
    for (int i = 0; i < 50; ++i) {
        const std::string user = fmt::format("some-user-of-this-test-{:04}", i);
        place(spoilt, {{.user = user}});
    }
    spoilt.close();
    spoilt.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    const auto bytes_of = [&] {
        std::ifstream in(spoilt.lane_file(), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string whole = bytes_of();
    const auto try_with = [&](std::size_t at, char byte) {
        std::string changed = whole;
        changed[at] = byte;
        std::ofstream(spoilt.lane_file(), std::ios::binary) << changed;
        const std::string said = opening(spoilt);
        spoilt.close();
        return said;
    };
    const std::size_t at = whole.find("some-user-of-this-test-0021");
    ASSERT_NE(at, std::string::npos);
    EXPECT_THAT(try_with(at + 5, 'U'), HasSubstr("is changed"));
    const std::size_t page = at / 4096 * 4096;
    EXPECT_THAT(try_with(page, '\xFF'), HasSubstr("damaged")) << "the kind of the page";
    EXPECT_EQ(try_with(at, whole[at]), "opened");
}

TEST_F(Recovery, BringsBackTwoHundredThousandOrdersAsTheyWere) {
    constexpr int orders = 200'000;
    constexpr int batch_size = 1'000;
    constexpr int users = 30'000;
    constexpr std::string_view items[] = {"shoe", "hat", "sock"};
    SqliteWorld many{{.checkpoint_pages = 2'000}};
    for (const std::string_view what : items) set(many, what, orders);
    const auto wish_of = [&](int i) {
        return domain::OrderRequest{
            .user = user(fmt::format("user-{}", i % users)),
            .item = item(items[static_cast<std::size_t>(i) % 3]),
            .quantity = 1 + i % 2,
            .key = i % 2 == 0 ? std::optional(many.hash().hash128("keys", fmt::format("{}", i)))
                              : std::nullopt,
            .trace = {}};
    };
    std::vector<domain::OrderRequest> batch;
    std::vector<domain::Outcome> outcomes(batch_size);
    std::map<int, domain::OrderId> some;
    for (int i = 0; i < orders; i += batch_size) {
        batch.clear();
        for (int k = 0; k < batch_size; ++k) batch.push_back(wish_of(i + k));
        ASSERT_TRUE(many.ledger().place(batch, outcomes).has_value());
        some[i] = std::get<domain::Accepted>(outcomes.front()).order.id;
        many.clock().pass(std::chrono::milliseconds{7});
    }
    const auto newest_orders = [&] {
        std::vector<std::uint64_t> newest;
        for (int i = 0; i < users; ++i) {
            const auto who = many.hash().hash64(fmt::format("user-{}", i));
            newest.push_back(many.sqlite_ledger().chains().newest(who));
        }
        return newest;
    };
    const auto figures_before = many.ledger().all_stock();
    const auto newest_before = newest_orders();

    many.restart();
    EXPECT_EQ(many.sqlite_ledger().orders_recovered(), std::uint64_t{orders});
    const auto figures_after = many.ledger().all_stock();
    ASSERT_EQ(figures_after.size(), figures_before.size());
    for (std::size_t i = 0; i < figures_after.size(); ++i) {
        EXPECT_EQ(figures_after[i].orders, figures_before[i].orders);
        EXPECT_EQ(figures_after[i].sold, figures_before[i].sold);
        EXPECT_EQ(figures_after[i].remaining, figures_before[i].remaining);
        EXPECT_EQ(figures_after[i].drift(), 0);
    }
    EXPECT_EQ(newest_orders(), newest_before);
    for (const auto& [i, id] : some) {
        domain::Outcome said;
        const auto asked = wish_of(i);
        ASSERT_TRUE(many.ledger().place({&asked, 1}, {&said, 1}).has_value());
        const auto* yes = std::get_if<domain::Accepted>(&said);
        ASSERT_TRUE(yes != nullptr && yes->replayed) << spoken(said);
        ASSERT_EQ(yes->order.id, id);
    }
}

}  // namespace
}  // namespace firstcome::test
