// tests/adapters/sqlite/dead_letters_test.cpp - dead letters in a file of their own
#include "adapters/sqlite/dead_letters.hpp"

#include "adapters/sqlite/query.hpp"
#include "tests/contract/dead_letters_contract.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>

namespace firstcome::test {
namespace {

class SqliteDeadLettersWorld {
public:
    SqliteDeadLettersWorld() { restart(); }

    ports::DeadLetters& letters() { return *first_; }

    ports::DeadLetters& other() { return *second_; }

    bool restart() {
        first_.reset();
        second_.reset();
        first_ = open().value();
        second_ = open().value();
        return true;
    }

    std::expected<std::unique_ptr<sqlite::DeadLetters>, std::string> open() {
        return sqlite::DeadLetters::open(temp_.path(), [](std::string_view why) { FAIL() << why; });
    }

    std::vector<std::string> audits() {
        std::vector<std::string> rows;
        sql("SELECT who || ': ' || reason FROM audit_log ORDER BY id",
            [&](const auto& row) { rows.emplace_back(row.text(0)); });
        return rows;
    }

    void sql(
        std::string_view text,
        const std::function<void(const sqlite::Statement&)>& row = [](const auto&) {}
    ) {
        auto database = sqlite::Database::open(file(), sqlite::Database::Mode::write);
        ASSERT_TRUE(database.has_value()) << database.error().text;
        const auto done = sqlite::query(*database, text, row);
        ASSERT_TRUE(done.has_value()) << done.error().text;
    }

    std::string file() const { return sqlite::DeadLetters::file_in(temp_.path()); }

private:
    TempDir temp_{"/dev/shm"};  // a sync costs nothing there
    std::unique_ptr<sqlite::DeadLetters> first_;
    std::unique_ptr<sqlite::DeadLetters> second_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, DeadLettersContract, SqliteDeadLettersWorld);

TEST(SqliteDeadLetters, TheFileIsTheOwnersAlone) {
    SqliteDeadLettersWorld world;
    using std::filesystem::perms;
    const auto mode = std::filesystem::status(world.file()).permissions();
    EXPECT_EQ(mode, perms::owner_read | perms::owner_write);
}

TEST(SqliteDeadLetters, AFileOfALaterVersionIsRefusedAndSaysSo) {
    SqliteDeadLettersWorld world;
    world.sql("PRAGMA user_version = 7");
    const auto refused = world.open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().find("schema version 7"), std::string::npos) << refused.error();
}

TEST(SqliteDeadLetters, ADamagedEntryIsReportedNeverGuessed) {
    SqliteDeadLettersWorld world;
    const auto now = ManualClock{}.wall();
    ASSERT_TRUE(world.letters().park(accepted_event(1), "orders", refused(), now, now).has_value());
    world.sql("UPDATE failed_order_events SET event_id = x'00'");
    EXPECT_EQ(world.letters().find(1).error(), DeadLetterError::unavailable);
    EXPECT_EQ(world.letters().list({}, 5, std::nullopt).error(), DeadLetterError::unavailable);
    world.sql(
        "INSERT INTO redrive_tasks (of_cause, per_second, status, total, started_at)"
        " VALUES ('of a later version', 1, 'running', 0, 0)"
    );
    EXPECT_EQ(world.letters().continue_redrive(9, now).error(), DeadLetterError::unavailable);
}

TEST(SqliteDeadLetters, AMissingTableIsAnErrorOfEveryCallAndChangesNothing) {
    SqliteDeadLettersWorld world;
    const auto now = ManualClock{}.wall();
    world.sql("DROP TABLE audit_log");
    ASSERT_TRUE(world.letters().park(accepted_event(1), "orders", refused(), now, now).has_value());
    EXPECT_EQ(world.letters().discard(1, "x", "eve", now).error(), DeadLetterError::unavailable);
    EXPECT_EQ(world.letters().find(1).value()->status, DeadLetterStatus::retrying);
}

}  // namespace
}  // namespace firstcome::test
