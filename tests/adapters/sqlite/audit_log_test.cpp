// tests/adapters/sqlite/audit_log_test.cpp - the audit log of the embedded mode
#include "adapters/sqlite/audit_log.hpp"

#include "adapters/sqlite/ledger.hpp"
#include "tests/contract/audit_log_contract.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <memory>

namespace firstcome::test {
namespace {

class SqliteAuditWorld {
public:
    SqliteAuditWorld() {
        auto dir = sqlite::DataDir::open(temp_.path() / "data", 2, entropy_);
        EXPECT_TRUE(dir.has_value()) << dir.error();
        dir_ = std::make_unique<sqlite::DataDir>(std::move(*dir));
        hash_ = std::make_unique<base::KeyedHash>(dir_->secret());
        for (std::size_t lane = 0; lane < 2; ++lane) {
            sqlite::Ledger::Options options;
            options.lane = lane;
            options.fatal = [](std::string_view why) { FAIL() << why; };
            auto ledger = sqlite::Ledger::open(options, *dir_, clock_, entropy_, *hash_);
            EXPECT_TRUE(ledger.has_value());
            ledgers_.push_back(std::move(*ledger));
        }
        open();
    }

    void open() {
        auto log = sqlite::AuditLog::open(*dir_);
        ASSERT_TRUE(log.has_value()) << log.error();
        log_ = std::move(*log);
    }

    ports::AuditLog& log() { return *log_; }

    ManualClock& clock() { return clock_; }

    /// Both lanes in turn.
    void change_stock(const std::string& item, std::int64_t units, const std::string& who) {
        domain::StockChange change;
        change.item = *domain::ItemId::from(item);
        change.quantity = units;
        change.who = who;
        change.trace_id = "0af7651916cd43dd8448eb211c80319c";
        ASSERT_TRUE(ledgers_[next_++ % 2]->change_stock(change));
    }

    std::filesystem::path file() const { return temp_.path() / "data" / "audit.sqlite"; }

private:
    TempDir temp_{"/dev/shm"};
    ManualClock clock_;
    SeededEntropy entropy_;
    std::unique_ptr<sqlite::DataDir> dir_;
    std::unique_ptr<base::KeyedHash> hash_;
    std::vector<std::unique_ptr<sqlite::Ledger>> ledgers_;
    std::unique_ptr<sqlite::AuditLog> log_;
    std::size_t next_ = 0;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, AuditLogContract, SqliteAuditWorld);

TEST(SqliteAuditLog, OutlivesTheProcessAndIsItsOwnersAlone) {
    SqliteAuditWorld world;
    ports::AuditEntry entry;
    entry.at = world.clock().wall();
    entry.what = "breaker.open";
    ASSERT_TRUE(world.log().add(entry));
    world.open();
    EXPECT_EQ(world.log().list(1, {})->entries.size(), 1U);
    const auto mode = std::filesystem::status(world.file()).permissions();
    EXPECT_EQ(mode & std::filesystem::perms{0077}, std::filesystem::perms::none);
}

}  // namespace
}  // namespace firstcome::test
