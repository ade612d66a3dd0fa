// tests/adapters/sqlite/backup_test.cpp - a copy that a server starts from, or no copy at all
#include "adapters/sqlite/backup.hpp"

#include "tests/adapters/sqlite/world.hpp"
#include "tests/support/orders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace firstcome::test {
namespace {

using sqlite::backup;
using sqlite::BackupStep;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class Backup : public ::testing::Test {
protected:
    Backup() { sell(3); }

    void sell(int count) {
        if (!world_.ledger().stock(item("shoe"))) {
            ASSERT_TRUE(world_.ledger().change_stock(stock_set("shoe", 1000)));
        }
        for (; count > 0; --count) {
            const std::string key = "k" + std::to_string(++sold_);
            const auto wish = request({.key = key}, world_.hash());
            domain::Outcome outcome;
            ASSERT_TRUE(world_.ledger().place({&wish, 1}, {&outcome, 1}));
        }
    }

    auto copy_to(const fs::path& to) {
        return backup(world_.path(), to, [this](const BackupStep& step) {
            steps_.push_back(step);
        });
    }

    static std::vector<std::string> names_in(const fs::path& directory) {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(directory)) {
            names.push_back(entry.path().filename().string());
        }
        std::ranges::sort(names);
        return names;
    }

    SqliteWorld world_;
    TempDir temp_;
    fs::path to_ = temp_.path() / "copy";
    std::vector<BackupStep> steps_;
    int sold_ = 0;
};

TEST_F(Backup, HasEveryOrderWhileTheLedgerGoesOn) {
    const auto done = copy_to(to_);
    ASSERT_TRUE(done) << done.error();
    EXPECT_EQ(done->audit.orders, 3U);
    EXPECT_EQ(done->files, 1U);
    EXPECT_THAT(names_in(to_), ElementsAre("lane-00.db")) << "nothing but what a start needs";
    EXPECT_THAT(names_in(temp_.path()), ElementsAre("copy"));
    ASSERT_FALSE(steps_.empty());
    EXPECT_EQ(steps_.back().pages_done, steps_.back().pages);
    sell(2);  // the file it was made of is still written
    const auto audited = sqlite::audit(world_.path(), [](std::uint64_t) {});
    ASSERT_TRUE(audited);
    EXPECT_EQ(audited->orders, 5U);
}

TEST_F(Backup, IsWhatAServerStartsFrom) {
    ASSERT_TRUE(copy_to(to_));
    SeededEntropy entropy;
    auto dir = sqlite::DataDir::open(to_, 1, entropy);
    ASSERT_TRUE(dir) << dir.error();
    const base::KeyedHash hash{dir->secret()};
    sqlite::Ledger::Options options;
    options.fatal = [](std::string_view why) { FAIL() << why; };
    auto ledger = sqlite::Ledger::open(options, *dir, world_.clock(), entropy, hash);
    ASSERT_TRUE(ledger) << ledger.error();
    EXPECT_EQ((*ledger)->orders_recovered(), 3U);
    EXPECT_EQ((*ledger)->stock(item("shoe"))->remaining, 997);
    const auto again = request({.key = "k2"}, hash);
    domain::Outcome outcome;
    ASSERT_TRUE((*ledger)->place({&again, 1}, {&outcome, 1}));
    EXPECT_EQ(spoken(outcome), "replayed 2") << "keys are remembered";
}

TEST_F(Backup, OfAServerThatEndedCleanlyIsTheSame) {
    ASSERT_TRUE(world_.sqlite_ledger().rest());
    world_.close();
    const auto done = copy_to(to_);
    ASSERT_TRUE(done) << done.error();
    EXPECT_EQ(done->audit.orders, 3U);
}

TEST_F(Backup, IsItsOwnersAlone) {
    ASSERT_TRUE(copy_to(to_));
    for (const fs::path& path : {to_, to_ / "lane-00.db"}) {
        struct ::stat found {};

        ASSERT_EQ(::stat(path.c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 0077U, 0U) << path;
    }
}

TEST_F(Backup, IsNeverWrittenOverAnything) {
    fs::create_directory(to_);
    auto refused = copy_to(to_);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error(), HasSubstr("is there already"));
    fs::remove(to_);
    fs::create_symlink("nowhere", to_);
    EXPECT_FALSE(copy_to(to_)) << "not through a link either";
    fs::remove(to_);
    fs::create_directory(to_.string() + ".partial");
    refused = copy_to(to_);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error(), HasSubstr("one was cut off"));
    EXPECT_TRUE(fs::exists(to_.string() + ".partial")) << "it may be another one's";
}

TEST_F(Backup, OfDamagedDataIsNoneAndSaysWhere) {
    world_.sql("UPDATE orders SET quantity = 5 WHERE sequence = 2");
    const auto done = copy_to(to_);
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error(), HasSubstr("is changed"));
    EXPECT_TRUE(names_in(temp_.path()).empty()) << "nothing is left that looks like a backup";
}

TEST_F(Backup, SaysWhenThereIsNothingToCopy) {
    const auto done = backup(temp_.path(), to_, [](const BackupStep&) {});
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error(), HasSubstr("is no data directory"));
}

}  // namespace
}  // namespace firstcome::test
