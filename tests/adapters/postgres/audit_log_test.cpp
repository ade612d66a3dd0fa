// tests/adapters/postgres/audit_log_test.cpp - the audit log of all nodes
#include "adapters/postgres/audit_log.hpp"

#include "tests/adapters/postgres/world.hpp"
#include "tests/contract/audit_log_contract.hpp"

namespace firstcome::test {
namespace {

class PostgresAuditWorld {
public:
    PostgresAuditWorld() {
        EXPECT_TRUE(world_.record().advance_epoch(0, ports::Epoch{}, "run-1").has_value());
    }

    ports::AuditLog& log() { return log_; }

    ManualClock& clock() { return world_.clock(); }

    PostgresWorld& world() { return world_; }

    void change_stock(const std::string& item, std::int64_t units, const std::string& who) {
        domain::StockChange change;
        change.item = *domain::ItemId::from(item);
        change.quantity = units;
        change.who = who;
        change.trace_id = "0af7651916cd43dd8448eb211c80319c";
        const auto changed = world_.record().change_stock(
            0,
            change,
            []() -> ports::SystemOfRecord::Result<std::optional<domain::StockFigures>> {
                return std::nullopt;
            },
            [](const ports::RecordedItem&)
                -> ports::SystemOfRecord::Result<std::optional<domain::StockRejected>> {
                return std::nullopt;
            }
        );
        ASSERT_TRUE(changed.has_value());
    }

private:
    PostgresWorld world_;
    postgres::AuditLog log_{connection_to(world_.url())};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, AuditLogContract, PostgresAuditWorld);

TEST(PostgresAuditLog, AnEntryAddedAgainAfterALostAnswerIsThereOnce) {
    PostgresAuditWorld world;
    ports::AuditEntry entry;
    entry.at = world.clock().wall();
    entry.what = "breaker.open";
    entry.subject = "redis";
    entry.trace_id = "0af7651916cd43dd8448eb211c80319c";
    ASSERT_TRUE(world.log().add(entry));
    ASSERT_TRUE(world.log().add(entry));
    const auto page = world.log().list(10, {});
    ASSERT_EQ(page->entries.size(), 1U);
    EXPECT_EQ(page->entries[0].before, "") << "nothing was known";
}

TEST(PostgresAuditLog, TellsWhenTheDatabaseIsAway) {
    postgres::AuditLog log{connection_to("postgresql://127.0.0.1:1/none")};
    const auto added = log.add({});
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error(), ports::AuditError::unavailable);
    EXPECT_FALSE(log.list(1, {}));
}

}  // namespace
}  // namespace firstcome::test
