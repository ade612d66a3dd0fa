// tests/adapters/postgres/dead_letters_test.cpp - dead letters beside the orders
#include "adapters/postgres/dead_letters.hpp"

#include "tests/adapters/postgres/world.hpp"
#include "tests/contract/dead_letters_contract.hpp"

#include <barrier>
#include <memory>

namespace firstcome::test {
namespace {

class PostgresDeadLettersWorld {
public:
    PostgresDeadLettersWorld() {
        const auto ready = postgres::prepare_database(connection_to(url_), 4);
        EXPECT_TRUE(ready.has_value()) << ready.error().text;
        restart();
    }

    ports::DeadLetters& letters() { return *first_; }

    ports::DeadLetters& other() { return *second_; }

    bool restart() {
        first_ = open();
        second_ = open();
        return true;
    }

    std::unique_ptr<postgres::DeadLetters> open(bool events = false) const {
        return std::make_unique<postgres::DeadLetters>(postgres::DeadLettersOptions{
            .connection = connection_to(url_), .events = events, .server_time = false});
    }

    std::vector<std::string> audits() {
        const auto rows =
            connection_.read("SELECT who || ': ' || reason FROM audit_log ORDER BY id");
        std::vector<std::string> audits;
        for (std::size_t row = 0; row < rows->size(); ++row) {
            audits.emplace_back(rows->text(row, 0));
        }
        return audits;
    }

    std::int64_t count(std::string_view what) {
        return connection_.read("SELECT count(*) FROM " + std::string(what))->integer(0, 0);
    }

    /// As the desk has it: no epoch, since what was parked is true in every one.
    std::unique_ptr<postgres::OrderSink> sink() const {
        return std::make_unique<postgres::OrderSink>(
            postgres::OrderSinkOptions{.connection = connection_to(url_)}, nullptr, nullptr
        );
    }

    const std::string& url() const { return url_; }

private:
    std::string url_ = shared_postgres().make_database();
    postgres::Connection connection_{connection_to(url_)};
    std::unique_ptr<postgres::DeadLetters> first_;
    std::unique_ptr<postgres::DeadLetters> second_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, DeadLettersContract, PostgresDeadLettersWorld);

class PostgresDeadLetters : public ::testing::Test {
protected:
    DeadLetterId park(unsigned n) {
        const auto event = accepted_event(n);
        EXPECT_TRUE(world.letters().park(event, "orders", refused(), now, now).has_value());
        return world.letters().list({}, 1, std::nullopt).value().entries.at(0).id;
    }

    PostgresDeadLettersWorld world;
    const domain::WallTime now = ManualClock{}.wall();
};

TEST_F(PostgresDeadLetters, ALeaderThatStoodStillThroughAFailoverParksNothing) {
    ManualClock clock;
    SeededEntropy entropy;
    postgres::Record record{{.connection = connection_to(world.url())}, clock, entropy};
    const auto read_in = record.advance_epoch(0, {}, "a").value();
    postgres::DeadLetters relays{
        {.connection = connection_to(world.url()), .shard = 0, .epoch = [&] {
             return std::optional{read_in};
         }}};
    EXPECT_TRUE(relays.park(accepted_event(1), "orders", refused(), now, now).has_value());
    ASSERT_TRUE(record.advance_epoch(0, read_in, "b").has_value());
    EXPECT_EQ(
        relays.park(accepted_event(2), "orders", refused(), now, now).error(),
        DeadLetterError::unavailable
    ) << "Redis may have lost it, and its units may be sold again";
    EXPECT_EQ(world.count("failed_order_events"), 1);
    postgres::DeadLetters knows_none{
        {.connection = connection_to(world.url()), .shard = 0, .epoch = [] {
             return std::optional<ports::Epoch>{};
         }}};
    EXPECT_FALSE(knows_none.park(accepted_event(3), "orders", refused(), now, now).has_value());
    EXPECT_EQ(world.count("failed_order_events"), 1);
}

TEST_F(PostgresDeadLetters, ANodeWhoseClockIsAheadTakesNothingTooEarly) {
    postgres::DeadLetters letters{{.connection = connection_to(world.url())}};
    postgres::DeadLetters ahead{{.connection = connection_to(world.url())}};
    const domain::WallTime later = now + 24h;
    ASSERT_TRUE(letters.park(accepted_event(1), "orders", refused(), now, now).has_value());
    const auto claimed = letters.claim_due("orders", now, now + 30s, 10).value();
    ASSERT_EQ(claimed.size(), 1U);
    const auto taken = [&] { return ahead.claim_due("orders", later, later + 30s, 10)->size(); };
    EXPECT_EQ(taken(), 0U) << "somebody tries it";
    EXPECT_FALSE(ahead.discard(claimed[0].id, "x", "eve", later).has_value());
    ASSERT_TRUE(letters.failed_again(claimed[0].id, refused(), true, now, now + 1h).has_value());
    EXPECT_EQ(taken(), 0U) << "it is not due for an hour";
    const auto kept = letters.find(claimed[0].id).value().value();
    EXPECT_EQ(kept.next_attempt.value() - kept.last_failure, 1h);
    ASSERT_TRUE(ahead.retry(claimed[0].id, later).has_value());
    EXPECT_EQ(letters.claim_due("orders", now, now + 30s, 10)->size(), 1U) << "due at once";
}

TEST_F(PostgresDeadLetters, ARedriveKeepsItsPaceWhateverClockContinuesIt) {
    postgres::DeadLetters letters{{.connection = connection_to(world.url())}};
    for (unsigned n = 1; n <= 3; ++n) {
        ASSERT_TRUE(letters.park(accepted_event(n), "orders", refused(), now, now).has_value());
        const auto claimed = letters.claim_due("orders", now, now + 30s, 1).value();
        ASSERT_TRUE(letters.failed_again(claimed[0].id, refused(), true, now, {}).has_value());
    }
    EXPECT_EQ(letters.start_redrive({}, 1, now - 24h)->total, 3U);
    EXPECT_LT(letters.continue_redrive(10, now + 24h).value()->moved, 3U) << "one a second";
}

// A node that stood still delivers although its claim has ended, while a person gives the entry up:
// neither asks the other, and still there is one ending.
TEST_F(PostgresDeadLetters, AHundredRacesOfDiscardAndALateDeliveryNeverDoBoth) {
    constexpr unsigned rounds = 100;
    auto sink = world.sink();
    unsigned given_up = 0;
    for (unsigned round = 1; round <= rounds; ++round) {
        const DeadLetterId id = park(round);
        std::barrier together{2};
        bool discarded = false;
        std::thread person{[&] {
            together.arrive_and_wait();
            discarded = world.other().discard(id, "race", "eve", now).has_value();
        }};
        together.arrive_and_wait();
        const domain::Event event = accepted_event(round);
        const bool delivered = sink->deliver({&event, 1}).delivered == 1;
        EXPECT_TRUE(delivered);
        const bool resolved = world.letters().resolve(id, now).has_value();
        person.join();
        EXPECT_NE(discarded, resolved) << "round " << round;
        const bool stored = world.count("orders WHERE sequence = " + std::to_string(round)) == 1;
        EXPECT_NE(discarded, stored) << "round " << round;
        given_up += discarded ? 1 : 0;
    }
    EXPECT_EQ(world.count("orders"), rounds - given_up);
    EXPECT_EQ(world.count("failed_order_events WHERE status = 'discarded'"), given_up);
    EXPECT_EQ(world.audits().size(), given_up);
    RecordProperty("given_up", static_cast<int>(given_up));
}

TEST_F(PostgresDeadLetters, ADiscardWaitsForADeliveryUnderWayAndThenRefuses) {
    const DeadLetterId id = park(1);
    postgres::Connection node{connection_to(world.url())};
    ASSERT_TRUE(node.begin().has_value());
    // What the sink's statement does first.
    ASSERT_TRUE(node.write("SELECT FROM failed_order_events WHERE id = $1 FOR SHARE", {id}));
    std::optional<ports::DeadLetters::Result<DeadLetter>> answer;
    std::thread person{[&] { answer = world.other().discard(id, "x", "eve", now); }};
    while (world.count("pg_locks WHERE NOT granted") == 0) std::this_thread::yield();
    ASSERT_TRUE(
        node.write("INSERT INTO orders (order_id, sequence, accepted_at, quantity, shard,"
                   " user_id, item_id, durability) SELECT order_id, 1, accepted_at, 1, 0,"
                   " user_id, item_id, 'redis' FROM failed_order_events")
    );
    ASSERT_TRUE(node.commit().has_value());
    person.join();
    EXPECT_EQ(answer->error(), DeadLetterError::in_the_way);
    EXPECT_EQ(world.letters().find(id).value()->status, DeadLetterStatus::resolved);
    EXPECT_TRUE(world.letters().totals().value().units.empty());
}

TEST_F(PostgresDeadLetters, AnOrderThatIsStoredHoldsNoUnitsTwice) {
    park(1);
    EXPECT_EQ(world.letters().totals().value().units.size(), 1U);
    const domain::Event event = accepted_event(1);
    ASSERT_EQ(world.sink()->deliver({&event, 1}).delivered, 1U);
    EXPECT_TRUE(world.letters().totals().value().units.empty());
    EXPECT_EQ(world.letters().totals().value().retrying, 1U);
}

TEST_F(PostgresDeadLetters, AGivenUpOrderIsToldOnceWhereEventsAreWanted) {
    const DeadLetterId id = park(1);
    ASSERT_TRUE(world.open(true)->discard(id, "bad row", "eve", now).has_value());
    EXPECT_EQ(world.count("outbox WHERE type = 'order.failed' AND aggregateid = 'shoe'"), 1);
    const DeadLetterId silent = park(2);
    ASSERT_TRUE(world.letters().discard(silent, "bad row", "eve", now).has_value());
    EXPECT_EQ(world.count("outbox"), 1);
}

TEST_F(PostgresDeadLetters, ReleaseAndDiscardAreOneDecision) {
    const DeadLetterId id = park(1);
    ManualClock clock;
    SeededEntropy entropy;
    postgres::Record record{{.connection = connection_to(world.url())}, clock, entropy};
    ASSERT_TRUE(world.letters().discard(id, "bad row", "eve", now).has_value());
    const auto failed = record.fail(accepted_event(1).id, "bad row").value().value();
    EXPECT_FALSE(failed.first);
    EXPECT_FALSE(failed.given_back);
    ASSERT_EQ(record.not_given_back(0, 10).value().size(), 1U);
    const ports::Epoch epoch = record.advance_epoch(0, ports::Epoch{}, "a").value();
    ASSERT_TRUE(record.given_back(accepted_event(1).id, epoch).has_value());
    EXPECT_TRUE(world.letters().undone(10).value().empty());
    EXPECT_EQ(world.audits().size(), 1U);
}

TEST_F(PostgresDeadLetters, ADatabaseThatIsNotThereIsUnavailable) {
    postgres::ConnectionOptions nowhere;
    nowhere.url = "postgresql://127.0.0.1:" + std::to_string(free_port()) + "/none";
    postgres::DeadLetters letters{{.connection = nowhere}};
    EXPECT_EQ(letters.totals().error(), DeadLetterError::unavailable);
    EXPECT_EQ(letters.discard(1, "x", "eve", now).error(), DeadLetterError::unavailable);
    EXPECT_EQ(letters.continue_redrive(1, now).error(), DeadLetterError::unavailable);
}

TEST_F(PostgresDeadLetters, ADamagedEntryIsReportedNeverGuessed) {
    const DeadLetterId id = park(1);
    postgres::Connection person{connection_to(world.url())};
    ASSERT_TRUE(person.script("UPDATE failed_order_events SET item_id = 'not an id'").has_value());
    EXPECT_EQ(world.letters().find(id).error(), DeadLetterError::unavailable);
    EXPECT_EQ(world.letters().totals().value().retrying, 1U);
}

}  // namespace
}  // namespace firstcome::test
