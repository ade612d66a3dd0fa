// tests/adapters/postgres/connection_test.cpp - deadlines, lost sessions, and what each means
#include "adapters/postgres/connection.hpp"

#include "tests/adapters/postgres/own_server.hpp"
#include "tests/adapters/postgres/world.hpp"

#include <future>
#include <poll.h>
#include <signal.h>

namespace firstcome::test {

namespace {

using postgres::Connection;
using postgres::SqlError;
using postgres::Transaction;

postgres::ConnectionOptions impatient(const std::string& url) {
    postgres::ConnectionOptions options = connection_to(url);
    options.call_timeout = 300ms;
    options.lock_timeout = 100ms;
    return options;
}

class SessionWithPostgres : public ::testing::Test {
protected:
    SessionWithPostgres() {
        run("DROP TABLE IF EXISTS t");
        run("CREATE TABLE t (id int PRIMARY KEY CHECK (id > 0))");
    }

    void run(std::string_view sql) {
        const auto done = connection.write(sql);
        ASSERT_TRUE(done.has_value()) << done.error().text;
    }

    std::int64_t rows() { return connection.read("SELECT count(*) FROM t")->integer(0, 0); }

    pid_t backend(Connection& of) {
        return static_cast<pid_t>(of.read("SELECT pg_backend_pid()")->integer(0, 0));
    }

    std::string url = emptied_database();
    Connection connection{connection_to(url)};
    Connection other{impatient(url)};
};

}  // namespace

TEST_F(SessionWithPostgres, GivesBackEveryTypeAsItWasGiven) {
    const EventMaker events;
    const domain::KeyHash key = events.hash().hash128("a", "b");
    const domain::OrderId id{.high = 0x0123456789ABCDEF, .low = 0xFEDCBA9876543210};
    const auto now = ManualClock{}.wall() + 7ms;
    const domain::TraceContext trace{.trace_high = 1, .trace_low = 2, .span = 3, .sampled = true};
    const auto rows = connection.read(
        "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 7::smallint, 8::int",
        {-5,
         true,
         "text",
         key,
         id,
         now,
         trace,
         std::optional<std::int64_t>{},
         domain::TraceContext{}}
    );
    ASSERT_TRUE(rows.has_value()) << rows.error().text;
    EXPECT_EQ(rows->integer(0, 0), -5);
    EXPECT_TRUE(rows->boolean(0, 1));
    EXPECT_EQ(rows->text(0, 2), "text");
    EXPECT_EQ(rows->key(0, 3), key);
    EXPECT_EQ(rows->bytes(0, 3).size(), 16U);
    EXPECT_EQ(rows->id(0, 4), id);
    EXPECT_EQ(rows->time(0, 5), now);
    EXPECT_EQ(rows->trace(0, 6).span, 3U);
    EXPECT_TRUE(rows->is_null(0, 7));
    EXPECT_FALSE(rows->maybe_integer(0, 7).has_value());
    EXPECT_TRUE(rows->is_null(0, 8));
    EXPECT_EQ(rows->integer(0, 9), 7);
    EXPECT_EQ(rows->integer(0, 10), 8);
}

TEST_F(SessionWithPostgres, TakesArraysWithNullsAndEmptyOnes) {
    const std::vector<std::optional<std::string_view>> texts{"a", std::nullopt, ""};
    const std::vector<std::int64_t> numbers{1, -2, 3};
    const auto rows =
        connection.read("SELECT a, b FROM unnest($1, $2) AS u (a, b)", {texts, numbers});
    ASSERT_TRUE(rows.has_value()) << rows.error().text;
    ASSERT_EQ(rows->size(), 3U);
    EXPECT_EQ(rows->text(0, 0), "a");
    EXPECT_TRUE(rows->is_null(1, 0));
    EXPECT_EQ(rows->text(2, 0), "");
    EXPECT_EQ(rows->integer(1, 1), -2);
    const auto none = connection.read("SELECT * FROM unnest($1)", {std::vector<std::int64_t>{}});
    EXPECT_TRUE(none.value().empty());
}

TEST_F(SessionWithPostgres, SaysWhatTheServerRefusedAndGoesOn) {
    const auto refused = connection.write("INSERT INTO t VALUES ($1)", {-1});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().error, SqlError::refused);
    EXPECT_EQ(refused.error().sqlstate, "23514");
    EXPECT_THAT(refused.error().text, ::testing::HasSubstr("violates check constraint"));
    EXPECT_EQ(name(refused.error().error), "refused");
    EXPECT_EQ(connection.write("INSERT INTO t VALUES ($1)", {1})->changed(), 1U);
    EXPECT_EQ(connection.session(), 1U);
}

TEST_F(SessionWithPostgres, ALockedRowIsGivenUpAndNothingIsWritten) {
    run("INSERT INTO t VALUES (1)");
    const auto holder = Transaction::begin(connection);
    run("UPDATE t SET id = 2");
    const auto blocked = other.write("UPDATE t SET id = 3");
    ASSERT_FALSE(blocked.has_value());
    EXPECT_EQ(blocked.error().error, SqlError::unavailable);
    EXPECT_EQ(blocked.error().sqlstate, "55P03");
    EXPECT_TRUE(other.is_open());
}

TEST_F(SessionWithPostgres, ASlowStatementIsStoppedByTheServerBeforeOurDeadline) {
    const auto slow = other.read("SELECT pg_sleep(30)");
    ASSERT_FALSE(slow.has_value());
    EXPECT_EQ(slow.error().error, SqlError::unavailable);
    EXPECT_EQ(slow.error().sqlstate, "57014");
    EXPECT_TRUE(other.is_open());
}

TEST_F(SessionWithPostgres, AJobOfManyCallsEndsByItsOwnMoment) {
    Connection patient{connection_to(url)};
    const auto began = base::SystemClock{}.monotonic();
    patient.end_by(began + 300ms);
    const auto calls = [&] {
        int count = 0;
        while (count < 100 && patient.read("SELECT pg_sleep(0.05)")) ++count;
        return count;
    };
    EXPECT_LT(calls(), 7) << "each is in time, and all together are not";
    EXPECT_FALSE(patient.read("SELECT 1").has_value()) << "nor is a session opened any more";
    patient.end_by(std::nullopt);
    EXPECT_TRUE(patient.read("SELECT pg_sleep(0.4)").has_value());
}

TEST_F(SessionWithPostgres, WhoeverWasOnlyReadingKnowsThatNothingWasWritten) {
    const pid_t silent = backend(other);
    ::kill(silent, SIGSTOP);
    const auto read = other.read("SELECT 1");
    ::kill(silent, SIGCONT);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().error, SqlError::unavailable);
    EXPECT_EQ(name(read.error().error), "unavailable");
    EXPECT_FALSE(other.is_open());
    EXPECT_TRUE(other.read("SELECT 1").has_value()) << "opened again by the next call";
    EXPECT_EQ(other.session(), 2U);
}

TEST_F(SessionWithPostgres, ACommitWithoutAnAnswerIsUnknownAndMayBeThereWhenLookedUp) {
    auto transaction = Transaction::begin(other);
    ASSERT_TRUE(other.write("INSERT INTO t VALUES (1)").has_value());
    const pid_t silent = backend(other);
    ::kill(silent, SIGSTOP);
    const auto committed = transaction->commit();
    ::kill(silent, SIGCONT);
    ASSERT_FALSE(committed.has_value());
    EXPECT_EQ(committed.error().error, SqlError::outcome_unknown);
    EXPECT_EQ(name(committed.error().error), "outcome_unknown");
    for (int tries = 0; rows() == 0 && tries < 500; ++tries) ::poll(nullptr, 0, 10);
    EXPECT_EQ(rows(), 1);
}

TEST_F(SessionWithPostgres, AWriteOfItsOwnWithoutAnAnswerIsUnknownToo) {
    ASSERT_TRUE(other.write("INSERT INTO t VALUES ($1)", {1}).has_value());
    const pid_t silent = backend(other);
    ::kill(silent, SIGSTOP);
    const auto written = other.write("INSERT INTO t VALUES ($1)", {2});
    ::kill(silent, SIGCONT);
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().error, SqlError::outcome_unknown);
}

TEST_F(SessionWithPostgres, ATransactionThatLostItsSessionNeverGoesOnOutsideOfIt) {
    auto transaction = Transaction::begin(other);
    ASSERT_TRUE(other.write("INSERT INTO t VALUES (1)").has_value());
    ASSERT_TRUE(connection.write("SELECT pg_terminate_backend($1::int)", {backend(other)}));
    const auto next = other.write("INSERT INTO t VALUES (2)");
    ASSERT_FALSE(next.has_value());
    EXPECT_EQ(next.error().error, SqlError::unavailable);
    EXPECT_FALSE(other.write("INSERT INTO t VALUES (3)").has_value());
    const auto committed = transaction->commit();
    ASSERT_FALSE(committed.has_value());
    EXPECT_EQ(committed.error().error, SqlError::unavailable);
    EXPECT_EQ(rows(), 0);
    EXPECT_TRUE(other.write("INSERT INTO t VALUES (4)").has_value());
}

TEST_F(SessionWithPostgres, ACommitAfterAFailureIsNoCommit) {
    auto transaction = Transaction::begin(connection);
    run("INSERT INTO t VALUES (1)");
    EXPECT_FALSE(connection.write("INSERT INTO t VALUES (1)").has_value());
    EXPECT_FALSE(transaction->commit().has_value());
    EXPECT_EQ(rows(), 0);
}

TEST_F(SessionWithPostgres, AnIdleSessionThatTheServerEndedIsOpenedAgainUnnoticed) {
    ASSERT_TRUE(connection.write("SELECT pg_terminate_backend($1::int)", {backend(other)}));
    ::poll(nullptr, 0, 50);
    EXPECT_TRUE(other.write("INSERT INTO t VALUES (1)").has_value());
    EXPECT_EQ(other.session(), 2U);
}

TEST(PostgresKilledDuringCommit, LeavesTheOutcomeUnknownAndTheTruthInTheTable) {
    OwnServer& server = own_server();
    const std::string url = server.postgres.make_database();
    Connection connection{connection_to(url)};
    ASSERT_TRUE(connection.script("CREATE TABLE t (id int)").has_value());
    auto transaction = Transaction::begin(connection);
    ASSERT_TRUE(connection.write("INSERT INTO t VALUES (1)").has_value());
    const auto pid = connection.read("SELECT pg_backend_pid()")->integer(0, 0);
    ::kill(static_cast<pid_t>(pid), SIGSTOP);
    auto committed = std::async(std::launch::async, [&] { return transaction->commit(); });
    ::kill(static_cast<pid_t>(pid), SIGKILL);
    server.postgres.kill();
    const auto outcome = committed.get();
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().error, SqlError::outcome_unknown);
    EXPECT_FALSE(connection.read("SELECT 1").has_value()) << "down";
    server.postgres.start();
    const auto rows = connection.read("SELECT count(*) FROM t");
    ASSERT_TRUE(rows.has_value()) << rows.error().text;
    EXPECT_EQ(rows->integer(0, 0), 0);
}

}  // namespace firstcome::test
