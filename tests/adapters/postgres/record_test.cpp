// tests/adapters/postgres/record_test.cpp - the contract on PostgreSQL, and what only it can do
#include "adapters/postgres/record.hpp"

#include "tests/adapters/postgres/own_server.hpp"
#include "tests/adapters/postgres/world.hpp"
#include "tests/contract/system_of_record_contract.hpp"

#include <atomic>
#include <poll.h>
#include <thread>

namespace firstcome::test {

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, SystemOfRecordContract, PostgresWorld);

namespace {

/// Asks for the lead as a standby does, until it is given or five seconds are over.
bool led_in_time(postgres::Record& record) {
    for (int tries = 0; tries < 250; ++tries) {
        if (record.lead(0).value_or(false)) return true;
        ::poll(nullptr, 0, 20);
    }
    return false;
}

using Keys = std::vector<std::vector<domain::KeyHash>>;  // each piece as it came

Keys keys_of(
    ports::SystemOfRecord& record,
    domain::WallTime since,
    const std::function<void()>& after_a_piece = [] {}
) {
    Keys pieces;
    const auto read = record.keys(0, since, [&](std::span<const ports::RecordedKey> piece) {
        if (piece.empty()) return true;
        pieces.emplace_back();
        for (const ports::RecordedKey& each : piece) pieces.back().push_back(each.key);
        after_a_piece();
        return true;
    });
    EXPECT_TRUE(read.has_value());
    return pieces;
}

}  // namespace

TEST(KeysOfAShard, AreReadInPiecesHoweverFewOfTheOrdersThereAreItsOwn) {
    PostgresWorld world;
    ASSERT_TRUE(world.record().advance_epoch(0, ports::Epoch{}, "a").has_value());
    EventMaker ours;
    EventMaker theirs{1, 2};
    const auto since = world.clock().wall();
    std::vector<domain::Event> all;
    for (const char whose : {'o', 't', 't', 't', 't', 't', 't', 'o', 'o', 't', 'o'}) {
        world.clock().pass(1ms);
        const auto at = world.clock().wall();
        const std::string key = std::to_string(all.size());
        all.push_back(
            whose == 'o' ? ours.accepted({.key = key}, at)
                         : theirs.accepted({.item = "hat", .key = key}, at)
        );
    }
    const Keys expected{{*all[0].key}, {*all[7].key}, {*all[8].key}, {*all[10].key}};
    ASSERT_EQ(world.sink().deliver(all).delivered, all.size());
    EXPECT_EQ(keys_of(world.record(), since), expected) << "two rows a piece, empty ones between";
    world.connection().script("TRUNCATE orders").value();
    for (const domain::Event& each : all) world.park(each);
    EXPECT_EQ(keys_of(world.record(), since), expected) << "parked ones likewise";
}

TEST(KeysOfAShard, NoneIsMissedWhoseParkedOrderIsStoredWhileTheyAreRead) {
    PostgresWorld world;
    ASSERT_TRUE(world.record().advance_epoch(0, ports::Epoch{}, "a").has_value());
    EventMaker events;
    const auto now = world.clock().wall();
    const std::vector stored{events.accepted({.key = "stored"}, now)};
    const std::vector parked{events.accepted({.key = "parked"}, now)};
    ASSERT_EQ(world.sink().deliver(stored).delivered, 1U);
    world.park(parked.front());
    std::set<domain::KeyHash> all;
    const auto store = [&] { EXPECT_EQ(world.sink().deliver(parked).delivered, 1U); };
    for (const auto& piece : keys_of(world.record(), now, store)) {
        all.insert(piece.begin(), piece.end());
    }
    EXPECT_EQ(world.psql("SELECT status FROM failed_order_events"), "resolved");
    EXPECT_EQ(all, (std::set{*stored.front().key, *parked.front().key}));
}

TEST(KeysOfAShard, AreFoundThoughTheClockOfTheirNodeIsADayBehind) {
    PostgresWorld world;
    ASSERT_TRUE(world.record().advance_epoch(0, ports::Epoch{}, "a").has_value());
    EventMaker events;
    const auto now = world.clock().wall();
    std::vector<domain::Event> all;
    for (const std::string_view key : {"stored", "parked"}) {
        all.push_back(events.accepted({.key = key}, now - 24h));
        all.back().order.accepted_at = now;
    }
    ASSERT_EQ(world.sink().deliver({all.data(), 1}).delivered, 1U);
    world.park(all[1]);
    EXPECT_EQ(keys_of(world.record(), now), (Keys{{*all[1].key}, {*all[0].key}}));
}

TEST(LeadOfAShard, GoesToTheNextWhenItsNodeDies) {
    PostgresWorld world;
    const base::SystemClock clock;
    SeededEntropy entropy;
    {
        postgres::Record dying{{.connection = connection_to(world.url())}, clock, entropy};
        ASSERT_TRUE(dying.lead(0).value());
        ASSERT_FALSE(world.record().lead(0).value());
    }
    EXPECT_TRUE(led_in_time(world.record()));
}

TEST(LeadOfAShard, IsLostByANodeThatStandsStillTooLong) {
    PostgresWorld world;
    const base::SystemClock clock;
    SeededEntropy entropy;
    postgres::Record frozen{
        {.connection = connection_to(world.url()), .lead_timeout = 200ms}, clock, entropy};
    ASSERT_TRUE(frozen.lead(0).value());
    EXPECT_TRUE(led_in_time(world.record()));
    EXPECT_FALSE(frozen.lead(0).value()) << "it must ask again, and hear no";
}

TEST(PostgresRecord, AChangeIsMadeWhateverItsReasonHolds) {
    PostgresWorld world;
    auto set = stock_set("shoe", 5);
    set.reason = {"a\0\xFFz", 4};
    const auto none = []() -> ports::SystemOfRecord::Result<std::optional<domain::StockFigures>> {
        return std::nullopt;
    };
    const auto fine = [](const ports::RecordedItem&) { return ports::SystemOfRecord::Lowered{}; };
    ASSERT_TRUE(world.record().change_stock(0, set, none, fine).has_value());
    postgres::Connection person{connection_to(world.url())};
    EXPECT_EQ(person.read("SELECT reason FROM stock_movements")->text(0, 0), "a??z");
}

TEST(PostgresRecord, AMachineThatIsGoneIsLookedForByTheServer) {
    PostgresWorld world;
    auto options = connection_to(world.url());
    postgres::Connection any{options};
    options.idle_session_timeout = 20s;
    postgres::Connection leading{options};
    EXPECT_EQ(leading.read("SHOW tcp_keepalives_idle")->text(0, 0), "2");
    EXPECT_EQ(leading.read("SHOW tcp_user_timeout")->text(0, 0), "5000");
    EXPECT_EQ(leading.read("SHOW idle_session_timeout")->text(0, 0), "20s");
    EXPECT_NE(any.read("SHOW tcp_user_timeout")->text(0, 0), "5000") << "as the server has it";
}

TEST(LeadOfAShard, IsLostWithTheServerAndTakenAgain) {
    OwnServer& server = own_server();
    const std::string url = server.postgres.make_database();
    ASSERT_TRUE(postgres::prepare_database(connection_to(url), 1).has_value());
    const base::SystemClock clock;
    SeededEntropy entropy;
    postgres::Record record{{.connection = connection_to(url)}, clock, entropy};
    ASSERT_TRUE(record.lead(0).value());
    ASSERT_TRUE(record.advance_epoch(0, ports::Epoch{}, "a").has_value());
    server.postgres.kill();
    EXPECT_EQ(record.lead(0).error(), ports::RecordError::unavailable);
    EXPECT_EQ(record.epoch(0).error(), ports::RecordError::unavailable);
    EXPECT_EQ(name(record.epoch(0).error()), "unavailable");
    server.postgres.start();
    EXPECT_EQ(record.epoch(0).value().run_id, "a");
    EXPECT_TRUE(led_in_time(record));
}

TEST(StockChange, IsMadeByOneAtATimePerItem) {
    PostgresWorld world;
    const auto none = [] { return std::optional<domain::StockFigures>{}; };
    const auto fine = [](const ports::RecordedItem&) { return ports::SystemOfRecord::Lowered{}; };
    ASSERT_TRUE(world.record().change_stock(0, stock_set("shoe", 0), none, fine).has_value());
    auto add = stock_set("shoe", 1);
    add.operation = domain::StockOperation::add;
    std::vector<std::thread> people;
    for (postgres::Record* record : {&world.record(), &world.other()}) {
        people.emplace_back([&, record] {
            for (int each = 0; each < 25; ++each) {
                EXPECT_TRUE(record->change_stock(0, add, none, fine).has_value());
            }
        });
    }
    for (std::thread& each : people) each.join();
    EXPECT_EQ(world.record().item(item("shoe")).value()->figures.remaining, 50);
    EXPECT_EQ(world.psql("SELECT count(*) FROM stock_movements"), "51");
}

TEST(StockChange, OfAnItemThatOversoldIsForThePersonWhoLooks) {
    PostgresWorld world;
    const auto live = [] {
        domain::StockFigures figures;
        figures.initial = 10;
        figures.remaining = -1;
        return std::optional(figures);
    };
    const auto fine = [](const ports::RecordedItem&) { return ports::SystemOfRecord::Lowered{}; };
    const auto changed = world.record().change_stock(0, stock_set("shoe", 5), live, fine);
    ASSERT_FALSE(changed.has_value());
    EXPECT_EQ(changed.error(), ports::RecordError::corrupt);
}

TEST(StockChange, KeepsARebuildWaitingThatWouldReadTheTotalAsItWas) {
    PostgresWorld world;
    const auto none = [] { return std::optional<domain::StockFigures>{}; };
    const auto fine = [](const ports::RecordedItem&) { return ports::Epoch{1, "a"}; };
    const ports::Epoch first = world.record().advance_epoch(0, ports::Epoch{}, "a").value();
    ASSERT_TRUE(world.record().change_stock(0, stock_set("shoe", 9), none, fine).has_value());
    // What a change does last, before it commits.
    postgres::Connection changing{connection_to(world.url())};
    ASSERT_TRUE(changing.begin().has_value());
    ASSERT_TRUE(changing.write("SELECT FROM epochs WHERE shard = 0 FOR SHARE"));
    ASSERT_TRUE(changing.write("UPDATE items SET initial = 4 WHERE item_id = 'shoe'"));
    domain::Units read = 0;
    std::thread rebuild{[&] {
        EXPECT_TRUE(world.other().advance_epoch(0, first, "b").has_value());
        read = world.other().item(item("shoe")).value()->figures.total();
    }};
    while (world.psql("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0") {
        std::this_thread::yield();
    }
    ASSERT_TRUE(changing.commit().has_value());
    rebuild.join();
    EXPECT_EQ(read, 4);
}

TEST(UnitsGivenBack, KeepARebuildWaitingThatWouldReadThemAsTaken) {
    PostgresWorld world;
    EventMaker events;
    const ports::Epoch epoch = world.record().advance_epoch(0, ports::Epoch{}, "a").value();
    const std::vector one{events.accepted({.quantity = 4}, world.clock().wall())};
    ASSERT_EQ(world.sink().deliver(one).delivered, 1U);
    ASSERT_TRUE(world.record().fail(one[0].id, "test").value().has_value());
    const auto wait_until_waiting = [&](int count, const std::atomic<bool>& over) {
        const std::string sql = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        while (!over && world.psql(sql) != std::to_string(count)) std::this_thread::yield();
    };
    // Stops the note halfway: between the epoch's row and its commit.
    postgres::Connection in_the_way{connection_to(world.url())};
    ASSERT_TRUE(in_the_way.begin().has_value());
    ASSERT_TRUE(in_the_way.write("SELECT FROM items FOR UPDATE"));
    std::atomic<bool> noted{false};
    std::thread noting{[&] {
        EXPECT_TRUE(world.record().given_back(one[0].id, epoch).has_value());
        noted = true;
    }};
    wait_until_waiting(1, noted);
    std::atomic<bool> rebuilt{false};
    domain::Units taken = -1;
    std::thread rebuild{[&] {
        EXPECT_TRUE(world.other().advance_epoch(0, epoch, "b").has_value());
        taken = world.other().item(item("shoe")).value()->figures.compensating;
        rebuilt = true;
    }};
    wait_until_waiting(2, rebuilt);
    ASSERT_TRUE(in_the_way.commit().has_value());
    noting.join();
    rebuild.join();
    EXPECT_EQ(taken, 0);
}

TEST(Repair, IsAudited) {
    PostgresWorld world;
    ASSERT_TRUE(world.record().note_repair(item("shoe"), "expected 5, found 1").has_value());
    EXPECT_EQ(
        world.psql("SELECT who, what, subject, reason FROM audit_log"),
        "conservation|stock.repair|shoe|expected 5, found 1"
    );
}

TEST(FailedOrder, IsToldAndAudited) {
    PostgresWorld world;
    EventMaker events;
    SeededEntropy entropy;
    postgres::Record record{
        {.connection = connection_to(world.url()), .events = true}, world.clock(), entropy};
    ASSERT_TRUE(record.advance_epoch(0, ports::Epoch{}, "a").has_value());
    const std::vector one{events.accepted({.quantity = 2}, world.clock().wall())};
    ASSERT_EQ(world.sink().deliver(one).delivered, 1U);
    ASSERT_TRUE(record.fail(one[0].id, "no \"money\"").value().has_value());
    EXPECT_EQ(
        world.psql("SELECT type, aggregateid, payload->>'orderId', payload->>'status' FROM outbox"),
        "order.failed|shoe|" + one[0].id.text() + "|failed"
    );
    EXPECT_EQ(
        world.psql("SELECT what, subject, reason FROM audit_log"),
        "order.failed|" + one[0].id.text() + "|no \"money\""
    );
}

}  // namespace firstcome::test
