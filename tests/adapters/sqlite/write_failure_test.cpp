// tests/adapters/sqlite/write_failure_test.cpp - a write that fails leaves nothing, on disk or in
// memory
#include "tests/adapters/sqlite/world.hpp"
#include "tests/support/file_size_limit.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

namespace firstcome::test {
namespace {

using ports::LedgerError;
using Placed = std::expected<void, LedgerError>;

// The log is never moved, so that every write is the lane's own.
class WriteFailure : public ::testing::Test {
protected:
    Placed place(const std::vector<Wish>& wishes) {
        std::vector<domain::OrderRequest> batch;
        for (const Wish& wish : wishes) batch.push_back(request(wish, world.hash()));
        outcomes.assign(batch.size(), domain::Outcome{});
        return world.ledger().place(batch, outcomes);
    }

    std::vector<std::string> said() const {
        std::vector<std::string> all;
        for (const domain::Outcome& outcome : outcomes) all.push_back(spoken(outcome));
        return all;
    }

    void set(std::string_view what, domain::Units units) {
        const auto result = world.ledger().change_stock(stock_set(what, units));
        ASSERT_TRUE(result.has_value());
    }

    domain::StockFigures figures(std::string_view what = "shoe") {
        return world.ledger().stock(item(what)).value();
    }

    std::uint64_t log_bytes() const {
        return std::filesystem::file_size(world.lane_file().string() + "-wal");
    }

    SqliteWorld world{{.checkpoint_pages = 1'000'000}};
    std::vector<domain::Outcome> outcomes;
};

TEST_F(WriteFailure, InTheMiddleOfABatchRevertsAllOfIt) {
    set("shoe", 100);
    set("hat", 100);
    ASSERT_TRUE(place({{.user = "eve", .key = "before"}}).has_value());
    world.sql(
        "CREATE TRIGGER no BEFORE INSERT ON orders WHEN NEW.quantity = 7"
        " BEGIN SELECT RAISE(ABORT, 'planted'); END"
    );
    const std::vector<Wish> wishes{
        {.user = "ann", .key = "k1"},
        {.user = "bob", .item = "hat", .key = "k2"},
        {.user = "ann", .key = "k1"},
        {.user = "cid", .quantity = 7, .key = "k3"},
        {.user = "dan", .key = "k4"},
    };
    for (int attempt = 0; attempt < 3; ++attempt) {
        EXPECT_EQ(place(wishes), Placed(std::unexpected(LedgerError::unavailable)));
        EXPECT_EQ(figures().orders, 1U);
        EXPECT_EQ(figures().remaining, 99);
        EXPECT_EQ(figures("hat").orders, 0U);
    }
    EXPECT_TRUE(place({{.user = "eve", .key = "before"}}).has_value());
    EXPECT_EQ(said(), (std::vector<std::string>{"replayed 1"})) << "reading goes on";

    world.sql("DROP TRIGGER no");
    ASSERT_TRUE(place(wishes).has_value());
    const std::vector<std::string> expected{
        "accepted 2", "accepted 1", "replayed 2", "accepted 3", "accepted 4"};
    EXPECT_EQ(said(), expected) << "the same keys, as if never asked before";

    world.restart();
    EXPECT_EQ(figures().orders, 4U);
    EXPECT_EQ(figures("hat").orders, 1U);
    ASSERT_TRUE(place(wishes).has_value());
    const std::vector<std::string> again{
        "replayed 2", "replayed 1", "replayed 2", "replayed 3", "replayed 4"};
    EXPECT_EQ(said(), again);
}

TEST_F(WriteFailure, AtEveryByteOfTheLogLeavesNothingOfTheBatch) {
    set("shoe", 100'000);
    const std::string first_user(64, 'u');
    const std::vector<Wish> wishes{
        {.user = first_user, .key = "k1"}, {.user = "bob", .key = "k2"}, {.user = first_user}};
    ASSERT_TRUE(place({{.user = "eve", .key = "before"}}).has_value());
    std::uint64_t start = log_bytes();
    int failures = 0;
    Placed placed;
    for (std::uint64_t bytes = 0;; bytes += 97) {
        {
            const FileSizeLimit limit{start + bytes};
            placed = place(wishes);
        }
        if (placed) break;
        ++failures;
        ASSERT_EQ(placed.error(), LedgerError::storage_full) << bytes;
        ASSERT_EQ(figures().orders, 1U);
        ASSERT_EQ(figures().sold, 1);
        if (failures % 10 != 1) continue;
        world.restart();
        start = 0;  // closing has moved the whole log and removed it
        ASSERT_EQ(figures().orders, 1U) << "after " << bytes << " bytes";
        ASSERT_TRUE(place({{.user = "eve", .key = "before"}}).has_value());
        ASSERT_EQ(said().front(), "replayed 1");
    }
    EXPECT_GT(failures, 20);
    EXPECT_EQ(said(), (std::vector<std::string>{"accepted 2", "accepted 3", "accepted 4"}));
    world.restart();
    EXPECT_EQ(figures().orders, 4U);
    ASSERT_TRUE(place(wishes).has_value());
    EXPECT_EQ(said(), (std::vector<std::string>{"replayed 2", "replayed 3", "accepted 5"}));
}

TEST_F(WriteFailure, OfAFirstStockChangeLeavesNoHoleForTheNextItem) {
    {
        const FileSizeLimit full{0};
        const auto result = world.ledger().change_stock(stock_set("never", 5));
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error(), LedgerError::storage_full);
    }
    EXPECT_FALSE(world.ledger().stock(item("never")).has_value());
    ASSERT_TRUE(place({{.item = "never"}}).has_value());
    EXPECT_EQ(said().front(), "item_not_found");
    set("shoe", 5);
    ASSERT_TRUE(place({{}}).has_value());
    world.restart();
    EXPECT_EQ(figures().sold, 1);
    set("never", 3);
    set("hat", 2);
    world.restart();
    EXPECT_EQ(figures("never").remaining, 3);
    EXPECT_EQ(figures("hat").remaining, 2);
}

TEST_F(WriteFailure, OfAStockChangeOrAReleaseChangesNothing) {
    set("shoe", 5);
    ASSERT_TRUE(place({{.quantity = 2}}).has_value());
    const domain::OrderId id = std::get<domain::Accepted>(outcomes.front()).order.id;
    {
        const FileSizeLimit full{0};
        const auto changed = world.ledger().change_stock(stock_set("shoe", 9));
        EXPECT_EQ(changed.error(), LedgerError::storage_full);
        const auto released = world.ledger().release(id, "test");
        EXPECT_EQ(released.error(), LedgerError::storage_full);
    }
    EXPECT_EQ(figures().total(), 5);
    EXPECT_EQ(figures().sold, 2);
    EXPECT_EQ(world.store().find(id).value()->status, domain::OrderStatus::confirmed);
    EXPECT_EQ(world.ledger().release(id, "test"), ports::Release::released);
    EXPECT_EQ(world.ledger().release(id, "test"), ports::Release::already_released);
    EXPECT_EQ(figures().remaining, 5);
}

}  // namespace
}  // namespace firstcome::test
