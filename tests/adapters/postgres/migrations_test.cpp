// tests/adapters/postgres/migrations_test.cpp - many nodes at once, and every way not to start
#include "adapters/postgres/migrations.hpp"

#include "tests/adapters/postgres/own_server.hpp"
#include "tests/adapters/postgres/world.hpp"

#include <algorithm>
#include <thread>
#include <vector>

namespace firstcome::test {

namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// What the operator reads; empty: it starts.
std::string started(const std::string& url, unsigned shards = 4, bool passing = false) {
    const auto ready = postgres::prepare_database(connection_to(url), shards);
    if (ready) return {};
    EXPECT_EQ(ready.error().passing, passing);
    return ready.error().text;
}

std::string as_role(std::string url, const std::string& role) {
    const std::string owner = "firstcome@";
    return url.replace(url.find(owner), owner.size(), role + "@");
}

}  // namespace

TEST(Migrations, EightNodesAtOnceApplyEachOnce) {
    const std::string url = shared_postgres().make_database();
    std::vector<std::string> said(8, "not run");
    std::vector<std::thread> nodes;
    for (std::string& each : said) nodes.emplace_back([&] { each = started(url); });
    for (std::thread& node : nodes) node.join();
    EXPECT_THAT(said, ::testing::Each(""));
    EXPECT_EQ(shared_postgres().psql(url, "SELECT count(*) FROM schema_migrations"), "4");
}

TEST(Migrations, ANewerSchemaIsLeftAsItIsAndServes) {
    const std::string url = migrated_database();
    shared_postgres().psql(
        url,
        "INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, '9999_later', 'x')"
    );
    EXPECT_EQ(started(url), "");
}

TEST(Migrations, AnIndexOverAllOrdersIsBuiltWhileTheyAreRead) {
    const std::string url = migrated_database();
    shared_postgres().psql(
        url,
        "DROP INDEX orders_key; CREATE UNIQUE INDEX orders_key ON orders (key) WHERE key IS NOT "
        "NULL; DELETE FROM schema_migrations WHERE number = 4"
    );
    postgres::Connection writer{connection_to(url)};
    ASSERT_TRUE(writer.begin().has_value());
    ASSERT_TRUE(writer.script("LOCK TABLE orders IN ROW EXCLUSIVE MODE").has_value());
    std::string said = "not run";
    std::thread node{[&] { said = started(url); }};
    postgres::Connection reader{connection_to(url)};
    bool waits = false;
    for (int look = 0; look < 100'000 && !waits; ++look) {
        const auto rows = reader.read(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = "
            "'orders'::regclass)"
        );
        waits = rows && rows->boolean(0, 0);
    }
    EXPECT_TRUE(waits);
    EXPECT_TRUE(reader.read("SELECT count(*) FROM orders").has_value());
    EXPECT_TRUE(writer.commit().has_value());
    node.join();
    EXPECT_EQ(said, "");
    const std::string index = "SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'orders_key%'";
    EXPECT_THAT(
        shared_postgres().psql(url, index),
        HasSubstr("orders_key ON public.orders USING btree (key, shard)")
    );
}

TEST(Migrations, AFileChangedAfterItWasAppliedStopsTheStart) {
    const std::string url = migrated_database();
    shared_postgres().psql(url, "UPDATE schema_migrations SET checksum = 'other'");
    EXPECT_THAT(started(url), HasSubstr("0001_first was changed"));
}

TEST(Migrations, AllNodesNeedTheSameNumberOfShards) {
    const PostgresWorld world;
    EXPECT_THAT(started(world.url(), 8), HasSubstr("set lane.count = 4"));
}

TEST(Migrations, SayWhatToChangeWhenTheServerIsTooOld) {
    const std::string url = shared_postgres().make_database();
    // The real question, answered by an impostor that is found before pg_catalog.
    shared_postgres().psql(
        url,
        "CREATE SCHEMA old; CREATE FUNCTION old.current_setting(what text) RETURNS text "
        "LANGUAGE sql AS $$ SELECT CASE what WHEN 'server_version_num' THEN '130011' "
        "ELSE '13.11' END $$; ALTER DATABASE " +
            url.substr(url.rfind('/') + 1) + " SET search_path = old, pg_catalog, public"
    );
    EXPECT_THAT(started(url), HasSubstr("13.11 is too old: Firstcome needs 14 or newer"));
}

TEST(Migrations, SayWhatToChangeWhenTheServerTakesNoWrites) {
    const std::string url = shared_postgres().make_database();
    shared_postgres().psql(
        url,
        "ALTER DATABASE " + url.substr(url.rfind('/') + 1) +
            " SET default_transaction_read_only = on"
    );
    EXPECT_THAT(started(url, 4, true), HasSubstr("name the primary in postgres.url"));
}

TEST(Migrations, SayWhatToChangeWhenTheDatabaseIsMissing) {
    const std::string url = shared_postgres().make_database() + "_not";
    const std::string said = started(url);
    EXPECT_THAT(said, HasSubstr("does not exist"));
    EXPECT_THAT(said, HasSubstr("CREATE DATABASE"));
    EXPECT_THAT(said, Not(HasSubstr("3D000")));
}

TEST(Migrations, SayWhatToChangeWhenNobodyListensAndThatWaitingMayHelp) {
    const std::string url =
        "postgresql://firstcome@127.0.0.1:" + std::to_string(free_port()) + "/firstcome";
    EXPECT_THAT(started(url, 4, true), HasSubstr("start the server, or correct host and port"));
}

TEST(Migrations, SayWhatToChangeWhenThePasswordIsWrongWithoutSayingIt) {
    OwnServer& server = own_server();
    const std::string url = server.postgres.make_database();
    server.postgres.psql(url, "CREATE ROLE bob LOGIN PASSWORD 'right'");
    const std::string said = started(as_role(url, "bob:wr0ngpass"));
    EXPECT_THAT(said, HasSubstr("password authentication failed"));
    EXPECT_THAT(said, HasSubstr("correct user and password in postgres.url"));
    EXPECT_THAT(said, Not(HasSubstr("wr0ngpass")));
    const std::string none = started(as_role(url, "bob"));
    EXPECT_THAT(none, HasSubstr("correct user and password in postgres.url")) << none;
    EXPECT_THAT(started("postgresql://bob:wr0ngpass@[::1"), Not(HasSubstr("wr0ngpass")));
}

TEST(Migrations, SayWhatToChangeWhenRightsAreMissing) {
    PostgresServer& server = shared_postgres();
    const std::string url = server.make_database();
    server.psql(url, "DROP ROLE IF EXISTS weak; CREATE ROLE weak LOGIN");
    EXPECT_THAT(started(as_role(url, "weak")), HasSubstr("GRANT CREATE, USAGE ON SCHEMA public"));
    EXPECT_EQ(started(url), "");
    EXPECT_THAT(started(as_role(url, "weak")), HasSubstr("GRANT"));
    server.psql(url, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO weak");
    EXPECT_THAT(started(as_role(url, "weak")), HasSubstr("audit_log and 8 more"));
    server.psql(url, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO weak");
    EXPECT_EQ(started(as_role(url, "weak")), "") << "no right to create is needed any more";
}

}  // namespace firstcome::test
