// tests/adapters/sqlite/ledger_test.cpp - the embedded ledger passes the contract
#include "adapters/sqlite/ledger.hpp"

#include "tests/adapters/sqlite/world.hpp"
#include "tests/contract/ledger_contract.hpp"

namespace firstcome::test {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, LedgerContract, SqliteWorld);

// Buyers' keys end after idempotency.ttl; a sale manager's never do, whatever the clocks say.
TEST(SqliteLedger, NeverForgetsTheKeyOfAStockChange) {
    SqliteWorld world;
    auto add = stock_set("shoe", 10);
    add.key = world.hash().hash128("admin", "k1");
    ASSERT_TRUE(world.ledger().change_stock(add).has_value());
    world.clock().pass(std::chrono::hours{24 * 400});
    for (const bool restarted : {false, true}) {
        if (restarted) world.restart();
        const auto again = world.ledger().change_stock(add);
        ASSERT_TRUE(again.has_value());
        EXPECT_TRUE(std::get<ports::StockChanged>(*again).replayed);
        auto other = add;
        other.quantity = 11;
        const auto refused = world.ledger().change_stock(other);
        ASSERT_TRUE(refused.has_value());
        EXPECT_EQ(
            std::get<domain::StockRejected>(*refused).why,
            domain::StockRejection::idempotency_key_reused
        );
    }
}

}  // namespace
}  // namespace firstcome::test
