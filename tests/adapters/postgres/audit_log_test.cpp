// tests/adapters/postgres/audit_log_test.cpp - the audit log of all nodes
#include "adapters/postgres/audit_log.hpp"

#include "adapters/postgres/migrations.hpp"
#include "tests/adapters/postgres/own_server.hpp"
#include "tests/adapters/postgres/world.hpp"
#include "tests/contract/audit_log_contract.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>

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
            [](const ports::RecordedItem&) { return ports::SystemOfRecord::Lowered{}; }
        );
        ASSERT_TRUE(changed.has_value());
    }

private:
    PostgresWorld world_;
    postgres::AuditLog log_{connection_to(world_.url())};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, AuditLogContract, PostgresAuditWorld);

ports::AuditEntry opened(base::WallTime at) {
    ports::AuditEntry entry;
    entry.at = at;
    entry.what = "breaker.open";
    entry.subject = "redis";
    entry.trace_id = "0af7651916cd43dd8448eb211c80319c";
    return entry;
}

TEST(PostgresAuditLog, TwoNodesDoTheSameInTheSameMillisecond) {
    PostgresAuditWorld world;
    postgres::AuditLog other{connection_to(world.world().url())};
    const ports::AuditEntry entry = opened(world.clock().wall());
    ASSERT_TRUE(world.log().add(entry));
    ASSERT_TRUE(other.add(entry));
    const auto page = world.log().list(10, {});
    ASSERT_EQ(page->entries.size(), 2U);
    EXPECT_EQ(page->entries[0].before, "") << "nothing was known";
}

// A commit that waits for a standby nobody is has been written, and is not answered.
TEST(PostgresAuditLog, AnEntryAddedAgainAfterALostAnswerIsThereOnce) {
    OwnServer& server = own_server();
    const std::string url = server.postgres.make_database();
    ASSERT_TRUE(postgres::prepare_database(connection_to(url), 1).has_value());
    const auto wait_for = [&](std::string_view standby) {
        server.postgres.psql(
            url, fmt::format("ALTER SYSTEM SET synchronous_standby_names = '{}'", standby)
        );
        server.postgres.psql(url, "SELECT pg_reload_conf()");
        const std::string shown = "SHOW synchronous_standby_names";
        while (server.postgres.psql(url, shown) != standby) {
        }
    };
    postgres::ConnectionOptions impatient = connection_to(url);
    impatient.call_timeout = std::chrono::milliseconds{300};
    postgres::AuditLog log{impatient};
    const ports::AuditEntry entry = opened(ManualClock{}.wall());
    wait_for("nobody");
    const auto lost = log.add(entry);
    wait_for("");
    ASSERT_FALSE(lost);
    EXPECT_EQ(server.postgres.psql(url, "SELECT count(*) FROM audit_log"), "1") << "written";
    ASSERT_TRUE(log.add(entry));
    EXPECT_EQ(server.postgres.psql(url, "SELECT count(*) FROM audit_log"), "1");
    ASSERT_TRUE(log.add(entry));
    EXPECT_EQ(server.postgres.psql(url, "SELECT count(*) FROM audit_log"), "2") << "another one";
}

// The next attempt would fail just the same, and what is behind it would wait for ever.
TEST(PostgresAuditLog, RefusesForGoodWhatTheDatabaseWillNeverTake) {
    PostgresAuditWorld world;
    for (const std::string_view json : {R"({"consumer":"\u0000"})", "{", "\xFF", "1e999999999"}) {
        ports::AuditEntry entry = opened(world.clock().wall());
        entry.after = json;
        const auto added = world.log().add(entry);
        ASSERT_FALSE(added) << json;
        EXPECT_EQ(added.error(), ports::AuditError::refused) << json;
    }
    EXPECT_TRUE(world.log().add(opened(world.clock().wall())));
}

TEST(PostgresAuditLog, WaitsForATableThatIsNotThereYet) {
    const std::string url = shared_postgres().make_database();
    postgres::AuditLog log{connection_to(url)};
    const ports::AuditEntry entry = opened(ManualClock{}.wall());
    const auto added = log.add(entry);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error(), ports::AuditError::unavailable) << "somebody may mend it";
    ASSERT_TRUE(postgres::prepare_database(connection_to(url), 1).has_value());
    EXPECT_TRUE(log.add(entry));
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
