// tests/adapters/sqlite/data_dir_test.cpp - one owner, one secret; what is not ours is left alone
#include "adapters/sqlite/data_dir.hpp"

#include "adapters/sqlite/database.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sys/stat.h>

namespace firstcome::sqlite {
namespace {

using test::SeededEntropy;
using test::TempDir;
using testing::HasSubstr;

class DataDirTest : public ::testing::Test {
protected:
    std::expected<DataDir, std::string> open(std::size_t lanes) {
        return DataDir::open(path, lanes, entropy);
    }

    std::string refusal(std::size_t lanes) {
        const auto opened = open(lanes);
        return opened ? "opened" : opened.error();
    }

    void make(std::size_t lanes) { ASSERT_TRUE(open(lanes).has_value()); }

    static void sql(const std::filesystem::path& file, const std::string& text) {
        auto database = Database::open(file.string(), Database::Mode::write);
        ASSERT_TRUE(database.has_value());
        ASSERT_TRUE(database->execute(text).has_value());
    }

    TempDir temp;
    std::filesystem::path path = temp.path() / "data";
    SeededEntropy entropy;
};

TEST_F(DataDirTest, IsMadeForItsOwnerAloneAndKeepsItsSecret) {
    base::KeyedHash::Secret secret;
    {
        const auto dir = open(2);
        ASSERT_TRUE(dir.has_value()) << dir.error();
        secret = dir->secret();
        EXPECT_EQ(dir->lanes(), 2U);
    }

    struct ::stat about {};

    ASSERT_EQ(::stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777U, 0700U);
    ASSERT_EQ(::stat((path / "lane-01.db").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777U, 0600U);
    const auto again = open(2);
    ASSERT_TRUE(again.has_value()) << again.error();
    EXPECT_EQ(again->secret(), secret);
    const auto looked_at = DataDir::look_at(path);
    ASSERT_TRUE(looked_at.has_value()) << looked_at.error();
    EXPECT_EQ(looked_at->secret(), secret) << "looking needs no lock";
}

TEST_F(DataDirTest, HasOneOwnerAtATime) {
    auto first = open(1);
    ASSERT_TRUE(first.has_value());
    EXPECT_THAT(refusal(1), HasSubstr("another firstcome is running on"));
    {
        const DataDir moved{std::move(*first)};
        EXPECT_THAT(refusal(1), HasSubstr("another firstcome is running on"));
    }
    EXPECT_EQ(refusal(1), "opened");
}

TEST_F(DataDirTest, RefusesAnotherNumberOfLanes) {
    make(2);
    EXPECT_THAT(refusal(1), HasSubstr("was made with lane.count = 2"));
    EXPECT_THAT(refusal(3), HasSubstr("you asked for 3"));
    EXPECT_EQ(refusal(2), "opened");
}

TEST_F(DataDirTest, RefusesToStartWithoutAFileThatHeldOrders) {
    make(3);
    std::filesystem::rename(path / "lane-02.db", temp.path() / "away");
    EXPECT_THAT(refusal(3), HasSubstr("lane-02.db is missing"));
    EXPECT_FALSE(std::filesystem::exists(path / "lane-02.db")) << "nothing is made in its place";
    std::filesystem::rename(temp.path() / "away", path / "lane-02.db");
    std::filesystem::remove(path / "lane-00.db");
    EXPECT_THAT(refusal(3), HasSubstr("orders are missing"));
    EXPECT_FALSE(std::filesystem::exists(path / "lane-00.db"));
}

TEST_F(DataDirTest, RefusesFilesOfAnotherDirectoryOrAnotherLane) {
    make(3);
    const auto other = temp.path() / "other";
    ASSERT_TRUE(DataDir::open(other, 3, entropy).has_value());
    std::filesystem::rename(path / "lane-01.db", temp.path() / "own");
    std::filesystem::copy_file(other / "lane-01.db", path / "lane-01.db");
    EXPECT_THAT(refusal(3), HasSubstr("lane-01.db belongs to another data directory"));
    std::filesystem::remove(path / "lane-01.db");
    std::filesystem::rename(path / "lane-02.db", path / "lane-01.db");
    std::filesystem::rename(temp.path() / "own", path / "lane-02.db");
    EXPECT_THAT(refusal(3), HasSubstr("lane-01.db belongs to another"));
}

TEST_F(DataDirTest, RefusesWhatIsNoDatabaseOfOurs) {
    struct Row {
        std::function<void()> spoil;
        std::string_view says;
    };

    const auto file = path / "lane-00.db";
    const Row rows[] = {
        {[&] { std::ofstream(file) << std::string(8192, 'x'); }, "file is not a database"},
        {[&] { std::ofstream(file).flush(); }, "is not a firstcome database"},
        {[&] { sql(file, "PRAGMA application_id = 5"); }, "is not a firstcome database"},
        {[&] { sql(file, "PRAGMA user_version = 2"); },
         "has schema version 2, this program knows 1"},
        {[&] { sql(file, "DELETE FROM meta WHERE name = 'hash_secret'"); }, "meta table"},
        {[&] { sql(file, "UPDATE meta SET value = x'00' WHERE name = 'hash_secret'"); },
         "meta table"},
        {[&] { sql(file, "UPDATE meta SET value = 0 WHERE name = 'lane_count'"); }, "meta table"},
        {[&] { sql(file, "DROP TABLE meta"); }, "no such table"},
    };
    for (const Row& row : rows) {
        std::filesystem::remove_all(path);
        make(1);
        row.spoil();
        EXPECT_THAT(refusal(1), HasSubstr(std::string(row.says)));
    }
}

TEST_F(DataDirTest, SaysWhatToDoWhenItCannotBeMade) {
    path = temp.path() / "no" / "such" / "parent";
    EXPECT_THAT(refusal(1), HasSubstr("cannot make the data directory"));
    std::ofstream(temp.path() / "file").flush();
    path = temp.path() / "file";
    EXPECT_THAT(refusal(1), HasSubstr("cannot write in the data directory"));
}

TEST_F(DataDirTest, GoesOnWhereItsMakingWasInterrupted) {
    std::filesystem::create_directory(path);
    std::ofstream(path / "lane-00.db.new") << "half a file";
    EXPECT_EQ(refusal(1), "opened");
    EXPECT_EQ(refusal(1), "opened") << "and again";
}

TEST_F(DataDirTest, LookingAtNothingFindsNothing) {
    EXPECT_THAT(DataDir::look_at(path).error(), HasSubstr("is no data directory"));
    EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace firstcome::sqlite
